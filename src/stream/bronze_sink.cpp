#include "stream/bronze_sink.hpp"

#include <algorithm>

#include "core/failpoint.hpp"
#include "pg/boundary.hpp"
#include "pg/spi.hpp"
#include "pipeline/stream_options.hpp"
#include "stream/careful_writer.hpp"
#include "stream/shared.hpp"
#include "stream/verbs.hpp"
#include "trail/bronze_table.hpp"
#include "worker/loop.hpp"
#include "worker/worker.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::stream {

// How a table is written: at once, or so that single rows may be refused.
struct BronzeSink::TableWriter {
    std::unique_ptr<trail::BronzeWriter> direct;
    std::unique_ptr<CarefulWriter> careful;

    void Write(const core::Change& change) {
        careful != nullptr ? careful->Write(change) : direct->Write(change);
    }
    void Flush() { careful != nullptr ? careful->Flush() : direct->Flush(); }
    [[nodiscard]] std::uint64_t rows() const {
        return careful != nullptr ? careful->rows() : direct->rows();
    }
};

// One bronze transaction. The writers go before the transaction that they live in.
struct BronzeSink::Batch {
    std::optional<pg::TransactionScope> transaction;
    std::map<core::Oid, std::unique_ptr<TableWriter>> writers;
    std::uint64_t rows = 0;

    ~Batch() { writers.clear(); }
};

namespace {

constexpr std::int64_t kLockPollMs = 20;
// How long a lock may be waited for before it is worth a message.
constexpr std::int64_t kPatienceUs = 1'000'000;

// The position that the transaction brings its origin to. From 16 on a transaction that is rolled
// back moves its origin as well (RecordTransactionAbort; meant for streamed transactions of a
// subscription), so the position must be gone before that happens, in whatever way.
class OriginPosition {
  public:
    explicit OriginPosition(core::Lsn lsn) {
        replorigin_session_origin_lsn = lsn.value;
        replorigin_session_origin_timestamp = GetCurrentTimestamp();
    }
    ~OriginPosition() noexcept { Forget(0, 0); }
    OriginPosition(const OriginPosition&) = delete;
    OriginPosition& operator=(const OriginPosition&) = delete;

    // A process that exits rolls back, too, after what was registered later than its start.
    static void ForgetAtExit() { before_shmem_exit(Forget, 0); }

  private:
    static void Forget(int /*code*/, Datum /*argument*/) noexcept {
        replorigin_session_origin_lsn = InvalidXLogRecPtr;
    }
};

}  // namespace

BronzeSink::BronzeSink(const Definition& definition, const core::Source& source,
                       sink::Waiter& waiter, pipeline::LetterBox& letters)
    : stream_id_(definition.stream_id),
      own_publications_(definition.own_publications),
      source_(source),
      waiter_(waiter),
      letters_(letters),
      on_error_(
          pg::ValueOrThrow(pipeline::ParsePoisonOptions(definition.sink, definition.options_json))
              .on_error) {
    for (const StreamTable& table : definition.tables) {
        if (table.bronze != 0) {
            bronze_of_[table.relation] = table.bronze;
            bronze_tables_.push_back(table.bronze);
        }
    }
    std::sort(bronze_tables_.begin(), bronze_tables_.end());
    const std::string name = OriginName(stream_id_);
    pg::TransactionScope transaction;
    durable_.value = pg::Call([origin_name = name.c_str()]() -> XLogRecPtr {
        RepOriginId origin = replorigin_by_name(origin_name, true);
        if (origin == InvalidRepOriginId) {
            origin = replorigin_create(origin_name);
        }
        MarkOwnOrigin(origin, true);
        pg::compat::SetUpOrigin(origin);
        replorigin_session_origin = origin;
        OriginPosition::ForgetAtExit();
        return replorigin_session_get_progress(true);
    });
    transaction.Commit();
}

BronzeSink::~BronzeSink() = default;

core::Status BronzeSink::Begin(const core::Transaction& /*transaction*/) {
    return core::Status::Ok();
}

core::Status BronzeSink::OpenBatch() {
    batch_ = std::make_unique<Batch>();
    batch_->transaction.emplace();
    return LockTables();
}

core::Status BronzeSink::LockTables() {
    for (const core::Oid table : bronze_tables_) {
        BV_RETURN_IF_ERROR(LockTable(table));
    }
    return core::Status::Ok();
}

// Whoever inserted by hand and did not commit must not keep the stream from stopping.
core::Status BronzeSink::LockTable(core::Oid table) {
    const std::int64_t since = worker::Now();
    while (!trail::TryLockSequence(table)) {
        if (blocked_.empty() && worker::Now() - since > kPatienceUs) {
            const int holder = trail::SequenceLockHolder(table);
            blocked_ = "bronze table " + pg::QualifiedName(table) + " is locked by " +
                       (holder != 0 ? "process " + std::to_string(holder)
                                    : std::string("a prepared transaction"));
        }
        BV_RETURN_IF_ERROR(waiter_.Wait(-1, kLockPollMs));
    }
    blocked_.clear();
    return core::Status::Ok();
}

sink::Health BronzeSink::health() const {
    sink::Health health;
    if (!blocked_.empty()) {
        health.reachable = false;
        health.last_error = blocked_;
        health.hint = "Rows inserted by hand keep the table until their transaction ends.";
    }
    return health;
}

core::Status BronzeSink::MeetUnknown(const core::RelationSchema& relation) {
    if (own_publications_ || strangers_.count(relation.oid) > 0) {
        return core::Status::Ok();
    }
    bool published = false;
    if (batch_ != nullptr) {
        published = IsPublishedTo(stream_id_, relation.oid);
    } else {
        pg::TransactionScope transaction;
        published = IsPublishedTo(stream_id_, relation.oid);
        transaction.Commit();
    }
    if (!published) {
        strangers_.insert(relation.oid);
        return core::Status::Ok();
    }
    // What is in the batch comes again, together with the change that was met here.
    batch_.reset();
    pg::TransactionScope transaction;
    JoinTable(stream_id_, relation.oid);
    transaction.Commit();
    return core::Status::Fail(
        "55000", "table " + relation.schema + "." + relation.name + " has joined the stream",
        "The stream begins again where it was, with the table's existing rows.");
}

core::Status BronzeSink::Write(const core::Change& change) {
    if (change.relation == nullptr) {
        return core::Status::Ok();
    }
    const auto found = bronze_of_.find(change.relation->oid);
    if (found == bronze_of_.end()) {
        return MeetUnknown(*change.relation);
    }
    if (batch_ == nullptr) {
        BV_RETURN_IF_ERROR(OpenBatch());
    }
    auto& writer = batch_->writers[found->second];
    if (writer == nullptr) {
        if (pg::Call([table = found->second]() { return get_rel_relkind(table); }) == '\0') {
            return core::Status::Fail(
                "42P01",
                "the bronze table of " + change.relation->schema + "." + change.relation->name +
                    " is gone",
                "Somebody has dropped it.",
                "Take the table out of the stream with alter_stream(..., drop_tables => ...), then "
                "make it anew with create_bronze or add_tables.");
        }
        writer = std::make_unique<TableWriter>();
        if (on_error_ == pipeline::OnError::kStop) {
            writer->direct = std::make_unique<trail::BronzeWriter>(found->second);
            writer->direct->Lock();
        } else {
            writer->careful = std::make_unique<CarefulWriter>(
                found->second, source_, letters_, on_error_ == pipeline::OnError::kSkip);
        }
    }
    writer->Write(change);
    ++batch_->rows;
    return core::Status::Ok();
}

core::Status BronzeSink::Commit(const core::Transaction& transaction) {
    if (batch_ == nullptr) {
        durable_ = std::max(durable_, transaction.end_lsn);
    } else {
        pending_ = transaction.end_lsn;
    }
    return core::Status::Ok();
}

core::Status BronzeSink::Progress(core::Lsn lsn) {
    if (batch_ == nullptr) {
        durable_ = std::max(durable_, lsn);
    } else {
        pending_ = std::max(pending_, lsn);
    }
    return core::Status::Ok();
}

core::Status BronzeSink::Boundary(bool idle) {
    if (batch_ != nullptr && (idle || batch_->rows >= kGroupRows)) {
        CommitBatch();
    }
    return core::Status::Ok();
}

core::Status BronzeSink::Drain(std::int64_t /*deadline_ms*/) {
    return Boundary(true);
}

void BronzeSink::CommitBatch() {
    std::vector<core::Oid> written;
    for (auto& [table, writer] : batch_->writers) {
        writer->Flush();
        if (writer->rows() > 0) {
            written.push_back(table);
        }
    }
    batch_->writers.clear();
    const OriginPosition position(pending_);
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::bronze_committing));
    batch_->transaction->Commit();
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::bronze_committed));
    batch_.reset();
    durable_ = std::max(durable_, pending_);
    for (const core::Oid table : written) {
        worker::Signal(MyDatabaseId, table);
    }
}

core::Status BronzeSink::Redeliver(std::span<const core::Change* const> events,
                                   std::vector<std::optional<core::Error>>& outcomes) {
    outcomes.assign(events.size(), std::nullopt);
    BV_RETURN_IF_ERROR(LockTables());
    std::set<core::Oid> written;
    for (std::size_t i = 0; i < events.size(); ++i) {
        const core::RelationSchema* relation = events[i]->relation;
        const auto found = relation != nullptr ? bronze_of_.find(relation->oid) : bronze_of_.end();
        if (found == bronze_of_.end()) {
            core::Error error;
            error.sqlstate = core::kObjectNotInPrerequisiteState;
            error.message = "the table is not in the stream any more";
            outcomes[i] = std::move(error);
            continue;
        }
        outcomes[i] = TryRow(found->second, *events[i]);
        if (!outcomes[i]) {
            written.insert(found->second);
        }
    }
    for (const core::Oid table : written) {
        worker::SignalAtCommit(table);
    }
    return core::Status::Ok();
}

core::Status BronzeSink::Alongside(const std::function<void()>& work) {
    if (batch_ == nullptr) {
        BV_RETURN_IF_ERROR(OpenBatch());
    }
    work();
    return core::Status::Ok();
}

}  // namespace bitvelocity::stream
