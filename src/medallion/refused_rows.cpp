#include "medallion/refused_rows.hpp"

#include "core/sql_text.hpp"
#include "medallion/arguments.hpp"
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

// So many suspects may turn out to be fine; then what is looked at is not what happens.
constexpr int kMistakes = 10;

class Probe {
  public:
    Probe(pg::SpiScope& spi, const Dataset& dataset) : spi_(spi), dataset_(dataset) {}

    // False: the text means nothing, for example because a CHECK speaks of more than its row.
    bool Prepare(const std::string& sql) {
        return pg::Catch([&]() {
                   pg::SubtransactionScope attempt;
                   {
                       const DatasetScope owner(dataset_.owner, dataset_.time_zone);
                       plan_ = spi_.Prepare(sql, {pg::Param::Bigint(0), pg::Param::Bigint(0)});
                   }
                   attempt.Commit();
               })
            .ok();
    }

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
                                                const ProbeText& probe,
                                                std::span<const Event> events, std::int64_t after,
                                                const TryAlone& try_alone) {
    constexpr int kSkipped = kTruncate | kPartial | kNoRow;
    std::map<std::int64_t, core::Error> refused;
    Probe values(spi, dataset);
    Probe demands(spi, dataset);
    if (!values.Prepare(probe.values)) {
        return refused;
    }
    Probe& rows = demands.Prepare(probe.demands) ? demands : values;
    int mistakes = 0;
    std::size_t at = 0;
    while (at < events.size() && mistakes < kMistakes) {
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
        core::Status alone = values.Run(suspect - 1, suspect, &ignored);
        if (alone.ok()) {
            alone = try_alone(suspect);
        }
        if (alone.ok()) {
            ++mistakes;
        } else {
            refused.emplace(suspect, alone.error());
        }
        ++at;
    }
    return refused;
}

TargetDemands DemandsOf(pg::SpiScope& spi, const Dataset& dataset, const SilverShape& shape) {
    std::vector<std::string> names;
    for (const OutputColumn& column : shape.output) {
        names.push_back(column.name);
    }
    const pg::CatalogScope catalog;
    const pg::Rows columns = spi.Execute(
        "SELECT o.name, format_type(a.atttypid, a.atttypmod), a.atttypid IN (1042, 1043) AND "
        "a.atttypmod >= 4, a.atttypmod, a.attnotnull FROM unnest($2::text[]) WITH ORDINALITY AS "
        "o(name, i) LEFT JOIN pg_attribute a ON a.attrelid = $1 AND a.attname = o.name AND NOT "
        "a.attisdropped ORDER BY o.i",
        {pg::Param::OidValue(dataset.target), TextArrayParam(names)});
    TargetDemands demands;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const std::string value = "j.o" + std::to_string(i + 1);
        const std::string name = core::QuoteName(*columns.Text(i, 1));
        if (columns.Bool(i, 3)) {
            // CAST would cut off what is too long; an assignment refuses it.
            demands.values.push_back("CAST(" + value + " AS text)");
            demands.conditions.push_back("length(rtrim(" + name +
                                         ")) <= " + std::to_string(columns.Int(i, 4) - 4));
        } else {
            demands.values.push_back("CAST(" + value + " AS " +
                                     columns.Text(i, 2).value_or("text") + ")");
        }
        if (columns.Bool(i, 5)) {
            demands.conditions.push_back(name + " IS NOT NULL");
        }
    }
    const pg::Rows checks = spi.Execute(
        "SELECT pg_get_expr(c.conbin, c.conrelid) FROM pg_constraint c WHERE c.conrelid = $1 AND "
        "c.contype = 'c' AND c.conkey <@ array(SELECT a.attnum FROM pg_attribute a WHERE "
        "a.attrelid = $1 AND a.attname = ANY ($2::text[]))",
        {pg::Param::OidValue(dataset.target), TextArrayParam(names)});
    for (std::size_t i = 0; i < checks.size(); ++i) {
        demands.conditions.push_back(*checks.Text(i, 1));
    }
    return demands;
}

}  // namespace bitvelocity::medallion
