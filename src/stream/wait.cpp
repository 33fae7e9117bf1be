#include "stream/verbs.hpp"

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "worker/loop.hpp"
#include "worker/worker.hpp"
#include "pg/postgres.hpp"

#include "stream/shared.hpp"

namespace bitvelocity::stream {

namespace {

// A position right behind a page header is the end of the page before: the last record ends there.
XLogRecPtr EndOfRecord(XLogRecPtr lsn) {
    const std::size_t in_segment = XLogSegmentOffset(lsn, wal_segment_size);
    const std::size_t in_page = lsn % XLOG_BLCKSZ;
    if (in_segment == SizeOfXLogLongPHD ||
        (in_segment > XLOG_BLCKSZ && in_page == SizeOfXLogShortPHD)) {
        return lsn - in_page;
    }
    return lsn;
}

struct Look {
    std::int32_t stream_id = 0;
    bool paused = false;
    std::string phase;
    std::string reason;
    bool pending = false;
};

// As of now: a snapshot of its own, for the stream may change while the statement waits.
Look LookAt(const std::string& name) {
    pg::CatalogScope as_extension;
    const bool pushed = pg::Call([]() {
        PushActiveSnapshot(GetLatestSnapshot());
        return true;
    });
    (void)pushed;
    Look look;
    {
        pg::SpiScope spi;
        const pg::Rows rows = spi.Execute(
            "SELECT stream_id, paused, phase, coalesce(phase_reason, ''), EXISTS (SELECT FROM "
            "bitvelocity.stream_table t WHERE t.stream_id = s.stream_id AND existing_rows = "
            "'pending') FROM bitvelocity.stream s WHERE stream_name = $1",
            {pg::Param::Text(name)});
        if (rows.empty()) {
            pg::Throw("42704", "stream \"" + name + "\" does not exist", {},
                      "SELECT stream FROM bitvelocity.stream_status lists the streams.");
        }
        look.stream_id = static_cast<std::int32_t>(rows.Int(0, 1));
        look.paused = rows.Bool(0, 2);
        look.phase = rows.Text(0, 3).value_or("");
        look.reason = rows.Text(0, 4).value_or("");
        look.pending = rows.Bool(0, 5);
    }
    pg::Call([]() { PopActiveSnapshot(); });
    return look;
}

void RequireNoOwnChanges() {
    if (TransactionIdIsValid(GetTopTransactionIdIfAny())) {
        pg::Throw("55000", "wait_for_stream cannot run in a transaction that has changed something",
                  "It would wait for its own commit.", "COMMIT first.");
    }
}

}  // namespace

bool WaitForStream(const std::string& name, std::uint64_t lsn, std::int64_t timeout_ms) {
    worker::RequireAvailable();
    RequireNoOwnChanges();
    const XLogRecPtr target = pg::Call([lsn]() {
        const XLogRecPtr end = EndOfRecord(lsn != 0 ? lsn : GetXLogInsertRecPtr());
        // A commit with synchronous_commit = off may be behind it.
        if (end <= GetXLogInsertRecPtr()) {
            XLogFlush(end);
        }
        return end;
    });
    const std::int64_t end_us = timeout_ms < 0 ? PG_INT64_MAX : worker::Now() + timeout_ms * 1000;
    for (;;) {
        const Look look = LookAt(name);
        if (look.phase == "needs_resync") {
            pg::Throw("55000", "stream \"" + name + "\" needs a resync", look.reason + ".",
                      "Run SELECT bitvelocity.resync_stream(" + pg::QuoteLiteral(name) + ").");
        }
        if (look.paused) {
            pg::Throw("55000", "stream \"" + name + "\" is paused", {},
                      "Run SELECT bitvelocity.resume_stream(" + pg::QuoteLiteral(name) + ").");
        }
        Entry* entry = FindEntry(MyDatabaseId, look.stream_id, "", false);
        // The marks of a copy are in the catalogue, everything else in shared memory.
        const bool ready = entry != nullptr && look.phase == "streaming" && !look.pending;
        const std::int64_t left_us = end_us - worker::Now();
        if (ready && entry->durable_lsn.load() >= target) {
            return true;
        }
        if (left_us <= 0) {
            return false;
        }
        const auto slice =
            static_cast<long>(std::clamp<std::int64_t>(left_us / 1000, 1, ready ? 200 : 20));
        pg::Call([entry, target, slice, ready]() {
            if (!ready) {
                (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, slice,
                                PG_WAIT_EXTENSION);
                ResetLatch(MyLatch);
            } else {
                ConditionVariablePrepareToSleep(&entry->progress);
                while (entry->durable_lsn.load() < target) {
                    if (ConditionVariableTimedSleep(&entry->progress, slice, PG_WAIT_EXTENSION)) {
                        break;
                    }
                }
                ConditionVariableCancelSleep();
            }
            CHECK_FOR_INTERRUPTS();
        });
    }
}

}  // namespace bitvelocity::stream
