"""The scripts that write letters. Each runs whole or not at all, as far as others can see.

KEYS: the stream, the letters, their index (digest -> entry), their number by reason.
"""

from redis.commands.core import AsyncScript

from services.common.cluster import Client
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

-- Two numbers of up to 20 digits, so that they can be compared as texts: as numbers they would be rounded.
local function place(id)
  local milliseconds, number = string.match(id, '^(%d+)-(%d+)$')
  return string.format('%20s%20s', milliseconds, number)
end

-- Where the numbers do not agree with the letters (these are from an earlier version, or somebody has deleted some by
-- hand) all are counted again, a step with every call: this is how far that has come, nil when it is done.
local scanned = redis.call('HGET', index, 'scanned') or nil

local function remove(id, fields)
  redis.call('XDEL', dead, id)
  local digest = value(fields, 'digest')
  if digest and redis.call('HGET', index, digest) == id then redis.call('HDEL', index, digest) end
  if scanned and place(id) > place(scanned) then return end
  local reason = value(fields, 'reason') or ''
  if redis.call('HINCRBY', reasons, reason, -1) <= 0 then redis.call('HDEL', reasons, reason) end
end

-- Whether the numbers are whole.
local function audit()
  if not scanned then
    local sum, total = 0, redis.call('XLEN', dead)
    for _, number in ipairs(redis.call('HVALS', reasons)) do sum = sum + number end
    if sum == total then return true end
    redis.call('DEL', reasons)
    if total == 0 then redis.call('DEL', index) end
    scanned = '0-0'
  end
  local step = 250
  local found = redis.call('XRANGE', dead, '(' .. scanned, '+', 'COUNT', step)
  for _, entry in ipairs(found) do
    redis.call('HINCRBY', reasons, value(entry[2], 'reason') or '', 1)
  end
  if #found < step then
    redis.call('HDEL', index, 'scanned')
    return true
  end
  redis.call('HSET', index, 'scanned', found[step][1])
  return false
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
      if not scanned then redis.call('HINCRBY', reasons, reason, 1) end
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
if added > 0 then audit() end
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


def bury_script(redis: Client) -> AsyncScript:
    return redis.register_script(_COMMON + _BURY)


def replay_script(redis: Client) -> AsyncScript:
    return redis.register_script(_COMMON + _REPLAY)


def drop_script(redis: Client) -> AsyncScript:
    return redis.register_script(_COMMON + _DROP)


def count_script(redis: Client) -> AsyncScript:
    """Gives whether the numbers are whole; and reason, number, reason, number."""
    return redis.register_script(_COMMON + "return {audit() and 1 or 0, redis.call('HGETALL', reasons)}")


def keys(stream: str) -> list[str]:
    dead = dead_letter_stream(stream)
    return [stream, dead, f"{dead}:index", f"{dead}:reasons"]
