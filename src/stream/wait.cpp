#include "stream/verbs.hpp"

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "worker/loop.hpp"
#include "worker/worker.hpp"
#include "pg/postgres.hpp"

#include "stream/shared.hpp"
#include "stream/slot.hpp"

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
    bool home = false;
    std::string slot;
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
            "'pending'), bitvelocity.stream_is_home(system_identifier, database_oid, catalog_oid), "
            "slot_name FROM bitvelocity.stream s WHERE stream_name = $1",
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
        look.home = rows.Bool(0, 6);
        look.slot = rows.Text(0, 7).value_or("");
    }
    pg::Call([]() { PopActiveSnapshot(); });
    return look;
}

void RequireNoOwnChanges(const std::string& verb) {
    if (TransactionIdIsValid(GetTopTransactionIdIfAny())) {
        pg::Throw("55000", verb + " cannot run in a transaction that has changed something",
                  "It would wait for its own commit.", "COMMIT first.");
    }
}

}  // namespace

bool WaitForStream(const std::string& name, std::uint64_t lsn, std::int64_t timeout_ms) {
    worker::RequireAvailable();
    RequireNoOwnChanges("wait_for_stream");
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
        if (!look.home) {
            pg::Throw("55000", "stream \"" + name + "\" needs adoption",
                      "Its definition came from another cluster or database.",
                      "If this is production now, run SELECT bitvelocity.adopt_streams().");
        }
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

namespace {

// Asks the stream's deliverer to drain, and takes the request back, whatever happens.
class DrainRequest {
  public:
    DrainRequest(Entry* entry, const std::string& name, std::int64_t until_us)
        : entry_(entry), until_us_(until_us) {
        std::int64_t before = entry->drain_until_us.load();
        if (before > worker::Now() ||
            !entry->drain_until_us.compare_exchange_strong(before, until_us)) {
            pg::Throw("55006", "stream \"" + name + "\" is being drained already");
        }
    }
    ~DrainRequest() {
        std::int64_t mine = until_us_;
        entry_->drain_until_us.compare_exchange_strong(mine, 0);
    }
    DrainRequest(const DrainRequest&) = delete;
    DrainRequest& operator=(const DrainRequest&) = delete;

  private:
    Entry* entry_;
    std::int64_t until_us_;
};

[[noreturn]] void NotDrained(const std::string& name, const Entry* entry) {
    std::string lag;
    if (entry != nullptr) {
        const XLogRecPtr end = GetXLogInsertRecPtr();
        const std::uint64_t durable = entry->durable_lsn.load();
        lag = std::to_string(end > durable ? end - durable : 0) +
              " bytes of WAL are not yet durable in the sink.";
    }
    pg::Throw("55000", "stream \"" + name + "\" was not drained in time", lag,
              "stream_status says why it is behind; raise the timeout, or end the writers first.");
}

}  // namespace

std::uint64_t DrainStream(const std::string& name, std::int64_t timeout_ms) {
    worker::RequireAvailable();
    RequireNoOwnChanges("drain_stream");
    const std::int64_t end_us = worker::Now() + timeout_ms * 1000;
    const bool delivered = WaitForStream(name, 0, timeout_ms);
    Look look = LookAt(name);
    Entry* entry = FindEntry(MyDatabaseId, look.stream_id, "", false);
    if (!delivered || entry == nullptr) {
        NotDrained(name, entry);
    }
    const DrainRequest request(entry, name, end_us);
    entry->drain_lsn.store(0);
    pg::Call([entry]() { WakeDeliverer(entry); });
    for (;;) {
        look = LookAt(name);
        const bool gone = entry->decoder_pid.load() == 0 && entry->deliverer_pid.load() == 0;
        const std::uint64_t passed = entry->drain_lsn.load();
        if (look.paused && gone) {
            const SlotFacts slot = pg::Call([n = look.slot.c_str()]() { return LookUpSlot(n); });
            if (passed != 0 && slot.confirmed_flush >= passed) {
                return slot.confirmed_flush;
            }
            pg::Throw("55000", "stream \"" + name + "\" was paused before it was drained", {},
                      "Run resume_stream, then drain_stream again.");
        }
        if (worker::Now() >= end_us) {
            NotDrained(name, entry);
        }
        pg::Call([]() {
            (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 20,
                            PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        });
    }
}

}  // namespace bitvelocity::stream
