-- wrk: ask for one document after the other when told how many there are, and report as JSON.
-- Arguments: the number to start with, and how many numbers there are; none for a fixed path.
local number, count = 0, 0

function init(args)
    if args[2] then
        number, count = tonumber(args[1]), tonumber(args[2])
        request = function()
            number = number % count + 1
            return wrk.format("GET", "/" .. number)
        end
    end
end

function done(summary, latency)
    local errors = summary.errors
    io.stderr:write(string.format(
        '{"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "p999": %.3f,'
            .. ' "refused": %d, "broken": %d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
