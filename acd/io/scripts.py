"""What Redis does as one step: every change is fenced by the leader's epoch and name (Lua).

KEYS: 1 lease (string with expiry), 2 meta (hash: epoch, holder, base, last), 3 stream, 4 snapshot,
5 epochs (hash: epoch -> number of its first event). A stream entry's identifier is the number of
its last event, so that Redis itself refuses what was appended before.
"""

FENCE = """
local function fenced(node, epoch)
  local stored = tonumber(redis.call('HGET', KEYS[2], 'epoch') or '0')
  local holder = redis.call('HGET', KEYS[2], 'holder') or ''
  if stored < epoch then return {'forgotten'} end
  if stored > epoch or holder ~= node then return {'refused', stored, holder} end
  return nil
end
"""

# -> held by (or ''), epoch, holder, number of the epoch's first event, of the last event
LOOK = """
local meta = redis.call('HMGET', KEYS[2], 'epoch', 'holder', 'base', 'last')
return {redis.call('GET', KEYS[1]) or '', tonumber(meta[1] or '0'), meta[2] or '',
        tonumber(meta[3] or '0'), tonumber(meta[4] or '0')}
"""

# ARGV: node, lease in ms, highest epoch known, epoch of the own journal, its last event
CLAIM = """
local stored = tonumber(redis.call('HGET', KEYS[2], 'epoch') or '0')
local holder = redis.call('HGET', KEYS[2], 'holder') or ''
if redis.call('EXISTS', KEYS[1]) == 1 then return {'refused', stored, holder} end
local known, own, own_last = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local last = tonumber(redis.call('HGET', KEYS[2], 'last') or '-1')
local anew = 0
if stored < known or last < 0 then
  anew, last = 1, own_last
  redis.call('DEL', KEYS[3], KEYS[4])
end
local epoch = math.max(stored, known) + 1
local base = last + 1
if own == stored and own_last > last then base = own_last + 1 end
redis.call('HSET', KEYS[2], 'epoch', epoch, 'holder', ARGV[1], 'base', base, 'last', last)
redis.call('HSET', KEYS[5], epoch, base)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'ok', epoch, last, anew}
"""

# ARGV: node, lease in ms, epoch
RENEW = """
local no = fenced(ARGV[1], tonumber(ARGV[3]))
if no then return no end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'ok'}
"""

# ARGV: node, lease in ms, epoch, number of its first event
RECLAIM = """
local stored = tonumber(redis.call('HGET', KEYS[2], 'epoch') or '0')
local holder = redis.call('HGET', KEYS[2], 'holder') or ''
local epoch = tonumber(ARGV[3])
if stored > epoch or (stored == epoch and holder ~= ARGV[1]) then
  return {'refused', stored, holder}
end
redis.call('DEL', KEYS[3], KEYS[4])
redis.call('HSET', KEYS[2], 'epoch', epoch, 'holder', ARGV[1], 'base', ARGV[4], 'last', 0)
redis.call('HSET', KEYS[5], epoch, ARGV[4])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'ok'}
"""

# ARGV: node, epoch
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] and
   redis.call('HGET', KEYS[2], 'epoch') == ARGV[2] then
  redis.call('DEL', KEYS[1])
end
return {'ok'}
"""

# ARGV: node, epoch, first, last, frames, how many events to keep
APPEND = """
local no = fenced(ARGV[1], tonumber(ARGV[2]))
if no then return no end
local last = tonumber(redis.call('HGET', KEYS[2], 'last') or '0')
if tonumber(ARGV[3]) ~= last + 1 then return {'gap', last} end
redis.call('XADD', KEYS[3], 'MINID', '~', math.max(0, ARGV[4] - ARGV[6]), ARGV[4] .. '-0',
           'epoch', ARGV[2], 'first', ARGV[3], 'frames', ARGV[5])
redis.call('HSET', KEYS[2], 'last', ARGV[4])
return {'ok', tonumber(ARGV[4])}
"""

# ARGV: node, epoch, sequence, snapshot; '1' = the stream begins behind it
SNAPSHOT = """
local no = fenced(ARGV[1], tonumber(ARGV[2]))
if no then return no end
if ARGV[4] ~= '' then redis.call('SET', KEYS[4], ARGV[4]) end
if ARGV[5] == '1' then
  redis.call('DEL', KEYS[3])
  redis.call('HSET', KEYS[2], 'last', ARGV[3])
end
return {'ok', tonumber(ARGV[3])}
"""

# KEYS: 6 and on, one a seat. ARGV: node, epoch, expiry in ms, then a value for each
SEATS = """
local no = fenced(ARGV[1], tonumber(ARGV[2]))
if no then return no end
for i = 6, #KEYS do redis.call('SET', KEYS[i], ARGV[i - 2], 'PX', ARGV[3]) end
return {'ok'}
"""

SCRIPTS = {
    "look": LOOK,
    "claim": CLAIM,
    "renew": FENCE + RENEW,
    "reclaim": RECLAIM,
    "release": RELEASE,
    "append": FENCE + APPEND,
    "snapshot": FENCE + SNAPSHOT,
    "seats": FENCE + SEATS,
}
