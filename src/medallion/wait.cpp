// wait_for_dataset: read your own writes in silver and gold.

#include <algorithm>

#include "medallion/arguments.hpp"
#include "medallion/dataset.hpp"
#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

constexpr long kPollMs = 20;

class Waiter {
  public:
    Waiter(pg::SpiScope& spi, core::Lsn lsn, TimestampTz deadline)
        : spi_(spi), lsn_(lsn), deadline_(deadline) {}

    // Upstream first, so that what it logs for this dataset is complete.
    bool Wait(const Dataset& dataset, int depth) {
        if (depth > 64) {
            pg::Throw(core::kProgramLimitExceeded, "datasets depend on each other in a circle");
        }
        for (const Dataset& upstream : AllDatasets(spi_)) {
            const bool feeds = std::find(dataset.sources.begin(), dataset.sources.end(),
                                         upstream.target) != dataset.sources.end();
            if (feeds && upstream.id != dataset.id && !Wait(upstream, depth + 1)) {
                return false;
            }
        }
        if (dataset.kind == "rollup") {
            const std::int64_t last = LastChange(dataset);
            return Poll([&]() { return !HasChange(dataset, last); });
        }
        if (!WaitForStream(dataset)) {
            return false;
        }
        const std::int64_t last = LastSequence(dataset);
        return Poll([&]() { return LoadDataset(spi_, dataset.id).position >= last; });
    }

  private:
    template <typename Done>
    bool Poll(Done done) {
        while (!done()) {
            if (Left() <= 0) {
                return false;
            }
            pg::Call([]() {
                WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kPollMs,
                          PG_WAIT_EXTENSION);
                ResetLatch(MyLatch);
                CHECK_FOR_INTERRUPTS();
            });
        }
        return true;
    }

    std::int64_t Left() const { return deadline_ - GetCurrentTimestamp(); }

    // The stream that writes the bronze table, if one does.
    bool WaitForStream(const Dataset& dataset) {
        const pg::CatalogScope catalog;
        const pg::Rows streams = spi_.Execute(
            "SELECT s.stream_name FROM bitvelocity.stream_table t JOIN bitvelocity.stream s "
            "USING (stream_id) WHERE t.bronze = $1 LIMIT 1",
            {pg::Param::OidValue(dataset.sources.at(0))});
        if (streams.empty()) {
            return true;
        }
        const std::int64_t left = Left();
        return left > 0 &&
               spi_.Execute("SELECT bitvelocity.wait_for_stream($1, $2, $3 * interval '1 us')",
                            {pg::Param::Text(*streams.Text(0, 1)), pg::Param::LsnValue(lsn_),
                             pg::Param::Bigint(left)})
                   .Bool(0, 1);
    }

    // Everything in bronze by now. Not only what was committed before the LSN: rows that existed
    // before the stream carry the LSN of its snapshot.
    std::int64_t LastSequence(const Dataset& dataset) {
        const DatasetScope owner(dataset.owner, dataset.time_zone);
        return spi_
            .Execute("SELECT coalesce(max(sequence), 0) FROM " +
                     pg::QualifiedName(dataset.sources.at(0)))
            .Int(0, 1);
    }

    std::int64_t LastChange(const Dataset& dataset) {
        const pg::CatalogScope catalog;
        return spi_
            .Execute(
                "SELECT coalesce(max(change_id), 0) FROM bitvelocity.rollup_change "
                "WHERE dataset_id = $1",
                {pg::Param::Bigint(dataset.id)})
            .Int(0, 1);
    }

    bool HasChange(const Dataset& dataset, std::int64_t last) {
        const pg::CatalogScope catalog;
        return !spi_.Execute(
                        "SELECT FROM bitvelocity.rollup_change WHERE dataset_id = $1 "
                        "AND change_id <= $2 LIMIT 1",
                        {pg::Param::Bigint(dataset.id), pg::Param::Bigint(last)})
                    .empty();
    }

    pg::SpiScope& spi_;
    core::Lsn lsn_;
    TimestampTz deadline_;
};

}  // namespace

// wait_for_dataset(name, lsn, timeout) RETURNS boolean
BV_FUNCTION(bitvelocity_wait_for_dataset) {
    const bool blind = pg::Call([]() {
        return RecoveryInProgress() || TransactionIdIsValid(GetTopTransactionIdIfAny()) ||
               IsolationUsesXactSnapshot();
    });
    if (blind) {
        pg::Throw(
            core::kObjectNotInPrerequisiteState, "wait_for_dataset cannot wait in this transaction",
            "It has written, its isolation level hides what others commit, or this is a standby.",
            "Call it as a statement of its own, at READ COMMITTED.");
    }
    pg::SpiScope spi;
    const Dataset dataset = LoadDataset(spi, RequiredText(fcinfo, 0, "name"));
    RequireRights(dataset);
    const core::Lsn lsn{PG_ARGISNULL(1)
                            ? pg::Call([]() -> std::uint64_t { return GetXLogInsertRecPtr(); })
                            : PG_GETARG_LSN(1)};
    const TimestampTz deadline = pg::Call([fcinfo]() -> TimestampTz {
        const TimestampTz now = GetCurrentTimestamp();
        if (PG_ARGISNULL(2)) {
            return DT_NOEND;
        }
        return DatumGetTimestampTz(DirectFunctionCall2(
            timestamptz_pl_interval, TimestampTzGetDatum(now), PG_GETARG_DATUM(2)));
    });
    PG_RETURN_BOOL(Waiter(spi, lsn, deadline).Wait(dataset, 0));
}

}  // namespace bitvelocity::medallion
