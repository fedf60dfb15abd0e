"""
Scripts for Redis: each is one round trip, and nothing comes in between. Only looking something up
is none; see L{llmproxy.cache.redis}.

A primary key is one hash, so that its variants come and go together:

========  =====================================================================================
field     content
========  =====================================================================================
g         the generations of the root and of the scope that it was stored under
n         the names that tell its variants apart, a line feed between them
h + name  of a variant: when it expires (milliseconds since the epoch), and its head
b + name  of a variant: its content
========  =====================================================================================

A scope is an API and a tenant. What it holds is listed twice, so that a purge finds what it looks for and nothing
else, and what has expired leaves the lists with the next that is stored:

=============  ================================================================================
key            content
=============  ================================================================================
r, s           generation of everything; the scopes, by the moment when their last object expires
g, l, x        of one scope: its generation; its members in the order of bytes; the same by expiry
=============  ================================================================================

L{llmproxy.cache.epochs} has what is noted when something is removed or purged.

A list may be evicted by Redis like every other key. What was listed in it is out of reach then, because
the next object finds the list gone and begins another generation: what can be found can be purged, always.

Times are those of Redis, one clock for all proxies. Redis 5 or later.
"""

from __future__ import annotations

from ..redis.script import Script
from .epochs import DOUBTED, KEPT, NOTE

MOST_VARIANTS = 64
SWEPT = 16
"""Expired members that leave the lists of a scope with each object that comes."""

BATCH = 500
"""Keys that one script purges, so that nobody waits long for it."""


_HEAL = b"""
-- What somebody else has put in our place does not stay there.
local function heal(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then redis.call('DEL', key) end
end
"""

_PRELUDE = b"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local micros = time[1] * 1000000 + time[2]

-- Of a stored head; nil for garbage.
local function expiry(head)
  if head and #head > 8 then return (struct.unpack('>d', head)) end
end
"""

HEADS = Script(
    _PRELUDE
    + b"""
-- KEYS: object, root generation, scope generation. Variant and head, one after another.
local generations = redis.call('MGET', KEYS[2], KEYS[3])
if redis.call('HGET', KEYS[1], 'g') ~= (generations[1] or '') .. (generations[2] or '') then return {} end
local all = {}
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(name, 1, 1) == 'h' then
    local head = redis.call('HGET', KEYS[1], name)
    local ends = expiry(head)
    if ends and ends > now then
      all[#all + 1] = string.sub(name, 2)
      all[#all + 1] = string.sub(head, 9)
    end
  end
end
return all
"""
)

_LISTED = b"""
-- Note an object in the lists of its scope, and remove what is listed and has expired.
local function list(generation, members, expiries, root, scopes, member, scope, ends)
  redis.call('ZADD', members, 0, member)
  redis.call('ZADD', expiries, ends, member)
  local gone = redis.call('ZRANGEBYSCORE', expiries, '-inf', now, 'LIMIT', 0, SWEPT)
  if #gone > 0 then
    redis.call('ZREM', expiries, unpack(gone))
    redis.call('ZREM', members, unpack(gone))
  end
  local last = redis.call('ZREVRANGE', expiries, 0, 0, 'WITHSCORES')[2]
  for _, key in ipairs({generation, members, expiries}) do redis.call('PEXPIREAT', key, last) end
  redis.call('ZADD', scopes, last, scope)
  redis.call('ZREMRANGEBYSCORE', scopes, '-inf', now)
  last = redis.call('ZREVRANGE', scopes, 0, 0, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', scopes, last)
  redis.call('PEXPIREAT', root, last)
end
""".replace(b"SWEPT", b"%d" % SWEPT)

PUT = Script(
    _PRELUDE
    + _HEAL
    + _LISTED
    + DOUBTED
    + b"""
-- KEYS: object, root generation, scope generation, members, expiries, scopes, epoch, removed, purged.
-- ARGV: names, variant, head, content, milliseconds, member, scope, a new generation, epoch that was seen.
-- 1 if it is stored, 0 if it is doubtful; the names that are known, if not all of them are given.
local object, root, generation, members, expiries, scopes, epoch, removed, purged = unpack(KEYS)
local names, variant, head, content, lifetime, member, scope, new, since = unpack(ARGV)

for at, kind in ipairs({'hash', 'string', 'string', 'zset', 'zset', 'zset', 'string', 'zset', 'zset'}) do
  heal(KEYS[at], kind)
end
if since ~= '' and doubted(epoch, removed, purged, since, scope, member) then return 0 end

if redis.call('EXISTS', root, scopes) < 2 then
  redis.call('SET', root, new)
  redis.call('DEL', scopes)
end
if redis.call('EXISTS', generation, members, expiries) < 3 then
  redis.call('SET', generation, new)
  redis.call('DEL', members, expiries)
end
local generations = redis.call('GET', root) .. redis.call('GET', generation)

local known = redis.call('HMGET', object, 'g', 'n')
if known[1] and known[1] ~= generations then
  redis.call('DEL', object)
  known = {false, false}
end
if known[1] and (known[2] or '') ~= names then
  local given = '\\n' .. names .. '\\n'
  for name in string.gmatch(known[2] or '', '[^\\n]+') do
    if not string.find(given, '\\n' .. name .. '\\n', 1, true) then return known[2] end
  end
  redis.call('DEL', object)
  known = {false, false}
end

local ends = now + tonumber(lifetime)
local latest, first, soonest, count = ends, nil, nil, 0
if known[1] and names ~= '' then
  for _, name in ipairs(redis.call('HKEYS', object)) do
    if string.sub(name, 1, 1) == 'h' and name ~= 'h' .. variant then
      local other = expiry(redis.call('HGET', object, name))
      if not other or other <= now then
        redis.call('HDEL', object, name, 'b' .. string.sub(name, 2))
      else
        count = count + 1
        if other > latest then latest = other end
        if not soonest or other < soonest then first, soonest = name, other end
      end
    end
  end
  if count >= MOST_VARIANTS then redis.call('HDEL', object, first, 'b' .. string.sub(first, 2)) end
end
redis.call('HSET', object, 'g', generations, 'n', names,
  'h' .. variant, struct.pack('>d', ends) .. head, 'b' .. variant, content)
redis.call('PEXPIREAT', object, latest)
list(generation, members, expiries, root, scopes, member, scope, latest)
return 1
""".replace(b"MOST_VARIANTS", b"%d" % MOST_VARIANTS)
)

REPLACE_HEAD = Script(
    _PRELUDE
    + _LISTED
    + b"""
-- KEYS: object, root generation, scope generation, members, expiries, scopes.
-- ARGV: variant, head that is there, head that is to be, milliseconds, member, scope.
-- Heads are without their length. Whether it was there.
local object, root, generation, members, expiries, scopes = unpack(KEYS)
local variant, old, head, lifetime, member, scope = unpack(ARGV)
local known = redis.call('HMGET', object, 'g', 'h' .. variant)
local generations = redis.call('MGET', root, generation)
if not known[1] or known[1] ~= (generations[1] or '') .. (generations[2] or '') then return 0 end
if not known[2] or string.sub(known[2], 14) ~= old then return 0 end
local ends = now + tonumber(lifetime)
redis.call('HSET', object, 'h' .. variant, struct.pack('>d', ends) .. string.sub(known[2], 9, 13) .. head)
local latest = math.max(ends, now + redis.call('PTTL', object))
redis.call('PEXPIREAT', object, latest)
list(generation, members, expiries, root, scopes, member, scope, latest)
return 1
"""
)

REMOVE = Script(
    _PRELUDE
    + _HEAL
    + NOTE
    + b"""
-- KEYS: object, members, expiries, epoch, removed, purged. ARGV: member.
note(KEYS[4], KEYS[5], KEYS[6], KEYS[5], string.sub(ARGV[1], -32))
local count = redis.call('UNLINK', KEYS[1])
redis.pcall('ZREM', KEYS[2], ARGV[1])
redis.pcall('ZREM', KEYS[3], ARGV[1])
return count
"""
)

DOUBT = Script(
    _PRELUDE
    + _HEAL
    + NOTE
    + b"""
-- KEYS: epoch, removed, purged. ARGV: what is being purged.
note(KEYS[1], KEYS[2], KEYS[3], KEYS[3], ARGV[1])
"""
)

EPOCH = Script(
    _PRELUDE
    + _HEAL
    + b"""
-- KEYS: epoch. What it is, from now on if there was none.
heal(KEYS[1], 'string')
if not tonumber(redis.call('GET', KEYS[1]) or '') then
  redis.call('SET', KEYS[1], string.format('%.0f', micros), 'PX', KEPT)
end
return redis.call('GET', KEYS[1])
""".replace(b"KEPT", b"%d" % KEPT)
)

SCOPES = Script(
    _HEAL
    + b"""
-- KEYS: root generation, scopes. All scopes; without the list, everything is out of reach from now on.
heal(KEYS[2], 'zset')
local all = redis.call('ZRANGE', KEYS[2], 0, -1)
if #all == 0 then redis.call('DEL', KEYS[1]) end
return all
"""
)

PURGE = Script(
    _HEAL
    + b"""
-- KEYS: generation, members, expiries. ARGV: first and last member, what the keys of objects begin with.
-- How many objects went, and how many members were looked at.
for at = 2, 3 do heal(KEYS[at], 'zset') end
local found = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, BATCH)
if #found == 0 then
  if redis.call('EXISTS', KEYS[2], KEYS[3]) < 2 then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end
  return {0, 0}
end
local count = 0
for _, member in ipairs(found) do
  count = count + redis.call('UNLINK', ARGV[3] .. string.sub(member, -32))
end
redis.call('ZREM', KEYS[2], unpack(found))
redis.call('ZREM', KEYS[3], unpack(found))
return {count, #found}
""".replace(b"BATCH", b"%d" % BATCH)
)

COUNT = Script(
    _PRELUDE
    + b"""
-- KEYS: scopes. ARGV: what the keys of expiries begin with. How many objects are listed and have not expired.
local count = 0
for _, scope in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  count = count + redis.call('ZCOUNT', ARGV[1] .. scope, '(' .. now, '+inf')
end
return count
"""
)
