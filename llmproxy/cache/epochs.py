"""
Epochs: the pending invalidations of all proxies, in Redis, so that none stores what it had requested before.

A proxy that fetches while another one removes or purges cannot know of it: what it stores afterwards would be
what upstream said before. So each doubt gets a number, the I{epoch}, and is noted; who stores says which epoch was the
last it had seen when its request left for upstream, and is refused if a later doubt is about what it brings. Each reply
to a lookup tells the epoch, so that nobody has to ask for it. In the scripts one thing happens after another: what was
stored before a doubt goes with what it removes, what comes after is refused.

==========  ========================================================================================
key         content
==========  ========================================================================================
e           the epoch, for a day after the last doubt
d, p        keys that were removed, and what was purged, by epoch; the empty member says since when
==========  ========================================================================================

Redis may evict these like all others: who was on the way then is refused, because nobody knows. An epoch is never lower
than the time in microseconds, so that none comes again. The lists are bounded; who was on the way for longer
than they reach back is refused too.
"""

from __future__ import annotations

from struct import Struct

MOST_REMOVED = 20_000
MOST_PURGED = 1_000
KEPT = 24 * 3600 * 1000
"""Milliseconds for which the epoch and the lists are kept after the last doubt."""

_PURGED = Struct(">BHH")


def purged(api: str | None, tenant: str | None, start: bytes) -> bytes:
    """What is noted of a purge: whether API and tenant are given, their lengths, and they and C{start}."""
    given = (api is not None) + 2 * (tenant is not None)
    its_api, its_tenant = (api or "").encode(), (tenant or "").encode()
    return _PURGED.pack(given, len(its_api), len(its_tenant)) + its_api + its_tenant + start


def _with_limits(source: bytes) -> bytes:
    for name, limit in ((b"MOST_REMOVED", MOST_REMOVED), (b"MOST_PURGED", MOST_PURGED), (b"KEPT", KEPT)):
        source = source.replace(name, b"%d" % limit)
    return source


NOTE = _with_limits(b"""
-- Raise the epoch, and note in one of the lists what became doubtful with it.
local function note(epoch, removed, purged, list, doubt)
  heal(epoch, 'string')
  -- At maxmemory a script may take memory only if its first change takes none.
  redis.call('PEXPIRE', epoch, KEPT)
  local before = tonumber(redis.call('GET', epoch) or '')
  local new = math.max((before or 0) + 1, micros)
  redis.call('SET', epoch, string.format('%.0f', new), 'PX', KEPT)
  for each, most in pairs({[removed] = MOST_REMOVED, [purged] = MOST_PURGED}) do
    heal(each, 'zset')
    if not redis.call('ZSCORE', each, '') then redis.call('ZADD', each, before or new, '') end
    if redis.call('ZCARD', each) >= most then
      local from = redis.call('ZRANGE', each, math.floor(most / 2), math.floor(most / 2), 'WITHSCORES')[2]
      redis.call('ZREMRANGEBYSCORE', each, '-inf', '(' .. from)
      redis.call('ZADD', each, from, '')
    end
    redis.call('PEXPIRE', each, KEPT)
  end
  redis.call('ZADD', list, string.format('%.0f', new), doubt)
end
""")

DOUBTED = b"""
-- Whether what was purged is about a member of a scope.
local function covers(doubt, scope, member)
  local given, api, tenant = struct.unpack('>BHH', doubt)
  local start = string.sub(doubt, 6 + api + tenant)
  if string.sub(member, 1, #start) ~= start then return false end
  local split = string.find(scope, '\\0', 1, true)
  if given % 2 == 1 and string.sub(doubt, 6, 5 + api) ~= string.sub(scope, 1, split - 1) then return false end
  return given < 2 or string.sub(doubt, 6 + api, 5 + api + tenant) == string.sub(scope, split + 1)
end

-- Whether anything after an epoch is about it, or nobody knows.
local function doubted(epoch, removed, purged, since, scope, member)
  local now = redis.call('GET', epoch)
  if not now or not tonumber(since) then return true end
  if now == since then return false end
  for _, list in ipairs({removed, purged}) do
    local from = redis.call('ZSCORE', list, '')
    if not from or tonumber(from) > tonumber(since) then return true end
  end
  local score = redis.call('ZSCORE', removed, string.sub(member, -32))
  if score and tonumber(score) > tonumber(since) then return true end
  for _, doubt in ipairs(redis.call('ZRANGEBYSCORE', purged, '(' .. since, '+inf')) do
    if covers(doubt, scope, member) then return true end
  end
  return false
end
"""
