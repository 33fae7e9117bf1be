#include "medallion/refused_rows.hpp"

#include "medallion/model/silver_sql.hpp"
#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

bool IsAboutRow(const core::Error& error) {
    const std::string_view code = error.sqlstate;
    const std::string_view kind = code.substr(0, 2);
    return kind == "21" || kind == "22" || kind == "23" || kind == "44" || code == "P0001" ||
           code == "54000" || code == "42804" || code == "42846";
}

namespace {

// What is read and put in order in vain where the first row is refused.
constexpr std::size_t kStep = 500;

class Probe {
  public:
    Probe(pg::SpiScope& spi, const Dataset& dataset, const std::string& sql)
        : spi_(spi),
          dataset_(dataset),
          plan_(spi.Prepare(sql, {pg::Param::Bigint(0), pg::Param::Bigint(0)})) {}

    // Evaluates after < sequence <= through; `seen`: the last that came.
    core::Status Run(std::int64_t after, std::int64_t through, std::int64_t* seen) {
        core::Status status = pg::Catch([&]() {
            pg::SubtransactionScope attempt;
            {
                const DatasetScope owner(dataset_.owner, dataset_.time_zone);
                spi_.Follow(plan_, {pg::Param::Bigint(after), pg::Param::Bigint(through)}, seen);
            }
            attempt.Commit();
        });
        if (!status.ok() && !IsAboutRow(status.error())) {
            throw pg::StatusError(status.error());
        }
        return status;
    }

  private:
    pg::SpiScope& spi_;
    const Dataset& dataset_;
    pg::Prepared plan_;
};

}  // namespace

std::map<std::int64_t, core::Error> FindRefused(pg::SpiScope& spi, const Dataset& dataset,
                                                const std::string& probe,
                                                std::span<const Event> events, std::int64_t after) {
    constexpr int kSkipped = kTruncate | kPartial | kNoRow;
    std::map<std::int64_t, core::Error> refused;
    Probe rows(spi, dataset, probe);
    std::size_t at = 0;
    while (at < events.size()) {
        const std::size_t end = std::min(at + kStep, events.size());
        std::int64_t seen = at == 0 ? after : events[at - 1].sequence;
        if (rows.Run(seen, events[end - 1].sequence, &seen).ok()) {
            at = end;
            continue;
        }
        while (at < end && (events[at].sequence <= seen || (events[at].flags & kSkipped) != 0)) {
            ++at;
        }
        if (at == end) {
            break;
        }
        // Only what is refused on its own, too, is certain.
        std::int64_t ignored = 0;
        const std::int64_t suspect = events[at].sequence;
        const core::Status alone = rows.Run(suspect - 1, suspect, &ignored);
        if (alone.ok()) {
            break;
        }
        refused.emplace(suspect, alone.error());
        ++at;
    }
    return refused;
}

}  // namespace bitvelocity::medallion
