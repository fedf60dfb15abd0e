"""
Scripts for Redis that count limits: each is one round trip for all limits of a request, and nothing comes in between.

Every limit has a key of its own, by its kind::

    ========  ==============================================================================================
    kind      content
    ========  ==============================================================================================
    rates     a hash: for each second of the last minute what counts
    places    a sorted set: the ids of requests that run, by the moment when their lease ends
    budgets   a hash: b where its window begins, s what was spent, r what is reserved, and x + id for what
              was reserved by a process that gave no sign of life any more, and counts as spent
              a sorted set beside it: id, a colon and the amount of each reservation, by the moment when its lease ends
    ========  ==============================================================================================

Sums are kept by C{HINCRBY}, so that they are exact integers of 64 bits: 9 million USD in 10^-12 of one. Lua compares
them as floating-point numbers, which above 9,000 USD is right to less than 10^-9 of one.

Times are those of Redis, one clock for all proxies; only where the window of a budget begins and ends, the proxies say,
which have the calendar. Redis 5 or later.
"""

from __future__ import annotations

from ..redis.script import Script

_PRELUDE = b"""
local time = redis.call('TIME')
local second = tonumber(time[1])
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- What somebody else has put in our place does not stay there.
local function heal(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then redis.call('DEL', key) end
end

-- Adds an amount as it is written, which may be larger than what a number of Lua holds exactly, or takes it away.
local function add(key, field, sign, amount)
  if tonumber(amount) ~= 0 then
    redis.call('HINCRBY', key, field, sign < 0 and '-' .. amount or amount)
  end
end

-- What counts of a rate; what has passed is removed.
local function rate(key)
  heal(key, 'hash')
  local all = redis.call('HGETALL', key)
  local total, live = 0, {}
  for index = 1, #all, 2 do
    local at = tonumber(all[index])
    if at then
      if at < second - 60 then redis.call('HDEL', key, all[index])
      else
        total = total + tonumber(all[index + 1])
        live[#live + 1] = {at, tonumber(all[index + 1])}
      end
    end
  end
  table.sort(live, function(one, other) return one[1] < other[1] end)
  return total, live
end

-- Places whose lease has ended are free.
local function places(key)
  heal(key, 'zset')
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  return redis.call('ZCARD', key)
end

-- Begins a budget anew where its window has passed; what was reserved without a sign of life counts as spent.
local function budget(key, held, begin, ends)
  heal(key, 'hash')
  heal(held, 'zset')
  local known = redis.call('HGET', key, 'b')
  if known and tonumber(known) < tonumber(begin) then
    local reserved = redis.call('HGET', key, 'r') or '0'
    redis.call('DEL', key)
    redis.call('HSET', key, 'b', begin, 's', '0', 'r', reserved)
    known = begin
  end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', held, '-inf', now, 'LIMIT', 0, 100)) do
    local id, amount = string.match(member, '^(.*):(%d+)$')
    redis.call('ZREM', held, member)
    add(key, 'r', -1, amount)
    redis.call('HINCRBY', key, 's', amount)
    redis.call('HSET', key, 'x' .. id, amount)
  end
  if known and ends ~= '' then
    redis.call('EXPIREAT', key, math.floor(tonumber(ends)) + 86400)
    redis.call('EXPIREAT', held, math.floor(tonumber(ends)) + 86400)
  end
  return known
end

local function used(key)
  local sums = redis.call('HMGET', key, 's', 'r')
  return tonumber(sums[1] or '0') + tonumber(sums[2] or '0')
end
"""

RESERVE = Script(
    _PRELUDE
    + b"""
-- KEYS: two for each part. ARGV: id, milliseconds of a lease, until when somebody waits, or ''; then for each part
-- kind, limit, amount, begin, end, and whether it refuses. Answers {'ok', second, milliseconds}, {'late', milliseconds}
-- where nobody waits any more, {'unknown', parts ...} of budgets that nobody has begun here, or
-- {'full', part, left, milliseconds or -1, ...}.
if ARGV[3] ~= '' and now > tonumber(ARGV[3]) then return {'late', now} end
local unknown, full = {'unknown'}, {'full'}
local parts = (#ARGV - 3) / 6
for part = 1, parts do
  local at = 3 + (part - 1) * 6
  local kind, limit, amount = ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local key = KEYS[part * 2 - 1]
  local count, wait = 0, 1000
  if kind == 'parallel' then
    count = places(key)
  elseif kind == 'money' then
    if not budget(key, KEYS[part * 2], ARGV[at + 4], ARGV[at + 5]) then
      unknown[#unknown + 1] = part
    end
    count = used(key)
    wait = -1
    if ARGV[at + 5] ~= '' and amount <= limit then wait = math.floor(tonumber(ARGV[at + 5]) * 1000) - now end
  else
    local live
    count, live = rate(key)
    if amount > limit then wait = -1
    elseif count + amount > limit then
      local rest = count
      for _, one in ipairs(live) do
        rest = rest - one[2]
        if rest + amount <= limit then
          wait = (one[1] + 61) * 1000 - now
          break
        end
      end
    end
  end
  if ARGV[at + 6] == '1' and amount > 0 and count + amount > limit then
    full[#full + 1] = part
    full[#full + 1] = tostring(math.max(0, limit - count))
    full[#full + 1] = wait
  end
end
if #unknown > 1 then return unknown end
if #full > 1 then return full end
for part = 1, parts do
  local at = 3 + (part - 1) * 6
  local kind, amount = ARGV[at + 1], ARGV[at + 3]
  local key, held = KEYS[part * 2 - 1], KEYS[part * 2]
  if kind == 'parallel' then
    redis.call('ZADD', key, now + ARGV[2], ARGV[1])
    redis.call('PEXPIRE', key, ARGV[2] * 2)
  elseif kind == 'money' then
    if redis.call('ZADD', held, now + ARGV[2], ARGV[1] .. ':' .. amount) == 1 then
      redis.call('HINCRBY', key, 'r', amount)
    end
  else
    redis.call('HINCRBY', key, time[1], amount)
    redis.call('EXPIRE', key, 62)
  end
end
return {'ok', second, now}
"""
)
"""Takes all parts of a request, or none."""

SETTLE = Script(
    _PRELUDE
    + b"""
-- KEYS: one of the process, then two for each part. ARGV: the number of the batch; then for each part id, kind, amount,
-- used, second, begin, end. Answers what budgets had spent before, for each part; '' for the others. A batch that comes
-- again, because its answer was lost, is answered {} and changes nothing.
local last = redis.call('GET', KEYS[1])
if last and tonumber(last) >= tonumber(ARGV[1]) then return {} end
redis.call('SET', KEYS[1], ARGV[1], 'EX', 86400)
local before = {}
for part = 1, (#ARGV - 1) / 7 do
  local at = 1 + (part - 1) * 7
  local id, kind, amount, was, taken = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  local key, held = KEYS[part * 2], KEYS[part * 2 + 1]
  before[part] = ''
  if kind == 'parallel' then
    heal(key, 'zset')
    redis.call('ZREM', key, id)
  elseif kind == 'money' then
    if budget(key, held, ARGV[at + 6], ARGV[at + 7]) then
      before[part] = redis.call('HGET', key, 's') or '0'
      if redis.call('ZREM', held, id .. ':' .. amount) == 1 then
        add(key, 'r', -1, amount)
      elseif redis.call('HDEL', key, 'x' .. id) == 1 then
        add(key, 's', -1, amount)
      end
      redis.call('HINCRBY', key, 's', was)
    end
  elseif taken ~= '' then
    heal(key, 'hash')
    local more = tonumber(was) - tonumber(amount)
    if redis.call('HEXISTS', key, taken) == 1 then
      redis.call('HINCRBY', key, taken, string.format('%.0f', more))
    elseif more > 0 then
      redis.call('HINCRBY', key, time[1], string.format('%.0f', more))
      redis.call('EXPIRE', key, 62)
    end
  end
end
return before
"""
)
"""Requests have ended: what each part was in the end."""

RENEW = Script(
    _PRELUDE
    + b"""
-- KEYS: two for each part. ARGV: milliseconds of a lease; then id, kind, amount for each. They run, whatever was
-- thought of them, and what is not known of them any more is taken anew. Answers nothing.
for part = 1, (#ARGV - 1) / 3 do
  local at = 1 + (part - 1) * 3
  local id, kind, amount = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local key, held = KEYS[part * 2 - 1], KEYS[part * 2]
  if kind == 'parallel' then
    heal(key, 'zset')
    redis.call('ZADD', key, now + ARGV[1], id)
    redis.call('PEXPIRE', key, ARGV[1] * 2)
  else
    heal(key, 'hash')
    heal(held, 'zset')
    local member = id .. ':' .. amount
    if redis.call('ZSCORE', held, member) then
      redis.call('ZADD', held, now + ARGV[1], member)
    elseif redis.call('HEXISTS', key, 'b') == 1 then
      if redis.call('HDEL', key, 'x' .. id) == 1 then add(key, 's', -1, amount) end
      redis.call('HINCRBY', key, 'r', amount)
      redis.call('ZADD', held, now + ARGV[1], member)
    end
  end
end
"""
)
"""A sign of life of requests that run."""

BEGIN = Script(
    _PRELUDE
    + b"""
-- KEYS: two of a budget. ARGV: begin, end, what was spent. Answers whether it began now.
if budget(KEYS[1], KEYS[2], ARGV[1], ARGV[2]) then return 0 end
redis.call('HSETNX', KEYS[1], 'b', ARGV[1])
redis.call('HINCRBY', KEYS[1], 's', ARGV[3])
budget(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
return 1
"""
)
"""A budget that nobody has begun here: Redis is new, was emptied, or the window is."""

LEFT = Script(
    _PRELUDE
    + b"""
-- KEYS: two for each rule. ARGV: kind, begin, end for each. Answers what is used, and milliseconds until nothing is,
-- or -1.
local found = {}
for rule = 1, #ARGV / 3 do
  local kind, begin, ends = ARGV[rule * 3 - 2], ARGV[rule * 3 - 1], ARGV[rule * 3]
  local key = KEYS[rule * 2 - 1]
  local count, wait = 0, -1
  if kind == 'parallel' then count = places(key)
  elseif kind == 'money' then
    budget(key, KEYS[rule * 2], begin, ends)
    count = used(key)
    if count > 0 and ends ~= '' then wait = math.floor(tonumber(ends) * 1000) - now end
  else
    local live
    count, live = rate(key)
    if #live > 0 then wait = (live[#live][1] + 61) * 1000 - now end
  end
  found[#found + 1] = string.format('%.0f', count)
  found[#found + 1] = wait
end
return found
"""
)
"""How much of each limit is used."""
