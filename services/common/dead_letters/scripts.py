"""The scripts that write letters. Each runs whole or not at all, as far as others can see.

KEYS: the stream, the letters, their index (digest -> entry), their number by reason.
"""

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from services.common.streams import dead_letter_stream

_COMMON = """
local stream, dead, index, reasons = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local function letter(id)
  local found = redis.call('XRANGE', dead, id, id)
  return found[1] and found[1][2]
end

local function value(fields, name)
  for at = 1, #fields, 2 do
    if fields[at] == name then return fields[at + 1] end
  end
end

local function remove(id, fields)
  redis.call('XDEL', dead, id)
  local digest = value(fields, 'digest')
  if digest and redis.call('HGET', index, digest) == id then redis.call('HDEL', index, digest) end
  local reason = value(fields, 'reason')
  if reason and redis.call('HINCRBY', reasons, reason, -1) <= 0 then redis.call('HDEL', reasons, reason) end
end

-- The hashes are made again where they do not agree with the letters: these are from an earlier version, or somebody
-- has deleted some by hand.
local function counts()
  local numbers, sum = redis.call('HGETALL', reasons), 0
  for at = 2, #numbers, 2 do sum = sum + numbers[at] end
  if sum == redis.call('XLEN', dead) then return numbers end
  redis.call('DEL', index, reasons)
  local from, found = '-', nil
  repeat
    found = redis.call('XRANGE', dead, from, '+', 'COUNT', 100)
    for _, entry in ipairs(found) do
      local digest = value(entry[2], 'digest')
      if digest then redis.call('HSET', index, digest, entry[1]) end
      redis.call('HINCRBY', reasons, value(entry[2], 'reason') or '', 1)
      from = '(' .. entry[1]
    end
  until #found < 100
  return redis.call('HGETALL', reasons)
end
"""

# ARGV: the group, the greatest number of letters; then of each letter its entry in the stream (or ''), digest, reason,
# number of names and values, and these. Gives: added, known, not pending, removed.
# XADD is the first that writes: a server without memory refuses it while nothing is done, and takes what follows.
_BURY = """
local group, limit = ARGV[1], tonumber(ARGV[2])
local added, known, absent, removed = 0, 0, 0, 0
local at = 3
while at <= #ARGV do
  local id, digest, reason = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local first, last = at + 4, at + 3 + ARGV[at + 3]
  at = last + 1
  local open = true
  if id ~= '' then
    local pending = redis.pcall('XPENDING', stream, group, id, id, 1)
    if pending.err and not string.find(pending.err, 'NOGROUP', 1, true) then return pending end
    open = not pending.err and pending[1] ~= nil
  end
  if not open then
    absent = absent + 1
  else
    local before = redis.call('HGET', index, digest)
    if before and letter(before) then
      known = known + 1
    else
      local entry = redis.call('XADD', dead, '*', unpack(ARGV, first, last))
      redis.call('HSET', index, digest, entry)
      redis.call('HINCRBY', reasons, reason, 1)
      added = added + 1
    end
    if id ~= '' then redis.call('XACK', stream, group, id) end
  end
end
for _ = 1, redis.call('XLEN', dead) - limit do
  local oldest = redis.call('XRANGE', dead, '-', '+', 'COUNT', 1)[1]
  remove(oldest[1], oldest[2])
  removed = removed + 1
end
if added > 0 then counts() end
return {added, known, absent, removed}
"""

# ARGV, of each letter: its entry, the number of names and values of the post, and these. Gives how many were there.
_REPLAY = """
local replayed, at = 0, 1
while at <= #ARGV do
  local id, first, last = ARGV[at], at + 2, at + 1 + ARGV[at + 1]
  at = last + 1
  local fields = letter(id)
  if fields then
    redis.call('XADD', stream, '*', unpack(ARGV, first, last))
    remove(id, fields)
    replayed = replayed + 1
  end
end
return replayed
"""

# ARGV: entries. Gives how many were there.
_DROP = """
local dropped = 0
for _, id in ipairs(ARGV) do
  local fields = letter(id)
  if fields then
    remove(id, fields)
    dropped = dropped + 1
  end
end
return dropped
"""


def bury_script(redis: Redis) -> AsyncScript:
    return redis.register_script(_COMMON + _BURY)


def replay_script(redis: Redis) -> AsyncScript:
    return redis.register_script(_COMMON + _REPLAY)


def drop_script(redis: Redis) -> AsyncScript:
    return redis.register_script(_COMMON + _DROP)


def count_script(redis: Redis) -> AsyncScript:
    """Gives reason, number, reason, number."""
    return redis.register_script(_COMMON + "return counts()")


def keys(stream: str) -> list[str]:
    dead = dead_letter_stream(stream)
    return [stream, dead, f"{dead}:index", f"{dead}:reasons"]
