#include "stream/deliverer.hpp"

#include <algorithm>

#include "core/failpoint.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pipeline/message_sink.hpp"
#include "pipeline/pipeline.hpp"
#include "pipeline/snapshot_options.hpp"
#include "pipeline/stream_options.hpp"
#include "sink/memory.hpp"
#include "stream/bronze_sink.hpp"
#include "stream/dead_letters.hpp"
#include "stream/definition.hpp"
#include "stream/shaping.hpp"
#include "stream/snapshot.hpp"
#include "stream/transport_loader.hpp"
#include "worker/loop.hpp"
#include "pg/postgres.hpp"

#include "stream/process.hpp"
#include "stream/queue.hpp"
#include "stream/shared.hpp"

namespace bitvelocity::stream {

namespace {

constexpr std::int64_t kIdleMs = 1000;
constexpr std::int64_t kDrainMs = 20;
// A transport that could not send what it was asked to flush (a new topic, a lost connection) is
// asked again.
constexpr std::int64_t kUnsettledMs = 20;
// Where the stream lingers, acknowledgements are taken with the next batch or so much later: nobody
// is woken for each. A stream that does not takes them at once: until then the client is told to
// flush, and its thread spins for messages that wait behind a request.
constexpr std::int64_t kAcknowledgeMs = 50;
// How long an empty queue is no pause yet while the decoder is behind: of transactions of a row
// each it takes a millisecond to fill one batch.
constexpr std::int64_t kMoreSoonMs = 5;

class Delivery final : public sink::Waiter {
  public:
    explicit Delivery(Entry* entry) : entry_(entry) {}

    void Load(std::int64_t stream_id);
    void OpenSink();
    // False: there is nothing to deliver (slot lost, told to stop).
    bool WaitForSlot();
    void Begin();
    void Deliver();
    void Finish();
    void GiveWay();

    core::Status Wait(int wake_fd, std::int64_t timeout_ms) override;
    [[nodiscard]] const Definition& definition() const { return definition_; }

  private:
    void ReportLostSlot();
    void ServeDrain();
    void ServeRedrive();
    bool RedriveSome();
    void NoteStop();
    std::int64_t StepSnapshots();
    void Publish();
    void ReportHealth();
    void MeasureRate(std::int64_t now_us);
    [[nodiscard]] wal::ParserOptions ParserOptions() const;

    Entry* entry_;
    Definition definition_;
    core::Source source_;
    std::unique_ptr<DeadLetters> letters_;
    std::unique_ptr<sink::Sink> sink_;
    BronzeSink* bronze_ = nullptr;
    std::unique_ptr<pipeline::Shaper> shaper_;
    std::unique_ptr<pipeline::Pipeline> pipeline_;
    std::unique_ptr<Snapshots> snapshots_;  // while existing rows are to be read
    core::Lsn resume_;
    core::Lsn published_;
    bool drained_ = false;
    std::string reported_error_;
    std::int64_t linger_ms_ = 0;
    std::uint64_t rate_rows_ = 0;
    std::int64_t rate_since_us_ = 0;
};

void Delivery::Load(std::int64_t stream_id) {
    pg::TransactionScope transaction;
    if (!LoadDefinition(stream_id, &definition_)) {
        pg::Throw("42704", "the stream was dropped");
    }
    source_.system_identifier = GetSystemIdentifier();
    source_.database_oid = MyDatabaseId;
    const char* database = pg::Call([]() { return get_database_name(MyDatabaseId); });
    source_.database = database != nullptr ? database : "";
    source_.stream = definition_.name;
    source_.epoch = definition_.epoch;
    transaction.Commit();
}

void Delivery::OpenSink() {
    linger_ms_ = pg::ValueOrThrow(pipeline::ParseLinger(definition_.options_json));
    const std::vector<pipeline::TableShape> shapes = LoadShapes(definition_);
    if (std::any_of(shapes.begin(), shapes.end(),
                    [](const auto& shape) { return !shape.ColumnNames().empty(); })) {
        shaper_ = std::make_unique<pipeline::Shaper>(
            shapes, pipeline::NeedsSalt(shapes) ? LoadSalt(definition_) : std::string());
    }
    letters_ = std::make_unique<DeadLetters>(definition_, source_, entry_, shapes);
    if (definition_.sink == "bronze") {
        auto bronze = std::make_unique<BronzeSink>(definition_, source_, *this, *letters_);
        bronze_ = bronze.get();
        sink_ = std::move(bronze);
    } else if (definition_.sink == "memory") {
        sink_ = std::make_unique<sink::MemorySink>();
    } else {
        pipeline::MessageSinkOptions options;
        options.source = source_;
        options.format = definition_.format;
        options.options_json = definition_.options_json;
        options.shapes = shapes;
        options.start.value = entry_->slot_start_lsn.load();
        options.timeline = GetWALInsertionTimeLine();
        options.letters = letters_.get();
        sink_ = pg::ValueOrThrow(pipeline::MakeMessageSink(
            options, LoadTransport(definition_, source_), *this, LoadRegistry(definition_)));
    }
    resume_ = pg::ValueOrThrow(sink_->ResumePosition());
    entry_->resume_lsn.store(resume_.value);
    entry_->durable_lsn.store(resume_.value);
    entry_->deliverer_ready.store(true);
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_opened));
}

// Not a failure that another attempt could mend: the stream rests until somebody resyncs it.
void Delivery::ReportLostSlot() {
    const std::string reason = entry_->lost_reason;
    {
        pg::TransactionScope transaction;
        {
            pg::SpiScope spi;
            spi.Execute(
                "UPDATE bitvelocity.stream SET phase = 'needs_resync', phase_reason = $2 "
                "WHERE stream_id = $1",
                {pg::Param::Int(definition_.stream_id), pg::Param::Text(reason)});
        }
        worker::CatalogChanged();
        transaction.Commit();
    }
    const std::string hint =
        "Run SELECT bitvelocity.resync_stream(" + pg::QuoteLiteral(definition_.name) + ").";
    SetError(entry_, reason.c_str(), hint.c_str());
    pg::Call([name = entry_->name, text = reason.c_str(), advice = hint.c_str()]() {
        ereport(LOG, (errmsg("bitvelocity stream \"%s\" needs a resync: %s", name, text),
                      errdetail("Changes since the position that was delivered last may be "
                                "missing from the slot."),
                      errhint("%s", advice)));
    });
}

// Somebody else publishes as this stream: coming back would shut them out in turn, for ever.
void Delivery::GiveWay() {
    pg::TransactionScope transaction;
    {
        pg::SpiScope spi;
        spi.Execute("UPDATE bitvelocity.stream SET paused = true WHERE stream_id = $1",
                    {pg::Param::Int(definition_.stream_id)});
    }
    worker::CatalogChanged();
    transaction.Commit();
}

bool Delivery::WaitForSlot() {
    // Started once more before the scheduler had seen that it must not be.
    if (definition_.phase == "needs_resync") {
        return false;
    }
    while (!entry_->slot_ready.load()) {
        if (entry_->slot_lost.load()) {
            ReportLostSlot();
            return false;
        }
        if (worker::StopRequested() || entry_->stop.load()) {
            return false;
        }
        pg::Call([]() { worker::Wait(100); });
    }
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_slot_seen));
    if (definition_.phase == "starting") {
        pg::TransactionScope transaction;
        {
            pg::SpiScope spi;
            spi.Execute(
                "UPDATE bitvelocity.stream SET phase = 'streaming', phase_reason = NULL "
                "WHERE stream_id = $1",
                {pg::Param::Int(definition_.stream_id)});
        }
        transaction.Commit();
    }
    return true;
}

wal::ParserOptions Delivery::ParserOptions() const {
    wal::ParserOptions options;
    options.source = source_;
    options.context_secret = GetShared()->context_secret;
    if (definition_.sink != "bronze" && definition_.sink != "memory") {
        const pipeline::BrokerOptions broker = pg::ValueOrThrow(
            pipeline::ParseBrokerOptions(definition_.format, definition_.options_json));
        options.messages = pipeline::WantsMessages(broker);
        options.schema_changes = broker.schema_changes;
    }
    return options;
}

void Delivery::Begin() {
    pipeline_ =
        std::make_unique<pipeline::Pipeline>(ParserOptions(), resume_, *sink_, shaper_.get());
    const pipeline::SnapshotOptions options =
        pg::ValueOrThrow(pipeline::ParseSnapshotOptions(definition_.options_json));
    snapshots_ = std::make_unique<Snapshots>(definition_, entry_, source_, *pipeline_, *sink_,
                                             bronze_, options);
    Publish();
    entry_->state.store(
        static_cast<std::uint32_t>(snapshots_->busy() ? State::kSnapshot : State::kStreaming));
    entry_->may_decode.store(true);
    WakeDecoder(entry_);
}

// Existing rows, a chunk at a time between batches. Returns how long to wait for that at most, -1:
// as long as for anything else.
std::int64_t Delivery::StepSnapshots() {
    if (snapshots_ == nullptr || pipeline_->in_transaction()) {
        return -1;
    }
    const std::int64_t wait = snapshots_->busy() ? snapshots_->Step() : -1;
    if (!snapshots_->busy()) {
        snapshots_ = nullptr;
        if (!entry_->stop.load()) {
            entry_->state.store(static_cast<std::uint32_t>(State::kStreaming));
        }
    }
    return wait;
}

void Delivery::NoteStop() {
    if (worker::StopRequested() && !entry_->stop.exchange(true)) {
        entry_->stop_deadline_us.store(worker::Now() + kStopUs);
        WakeDecoder(entry_);
    }
    if (entry_->stop.load()) {
        entry_->state.store(static_cast<std::uint32_t>(State::kStopping));
        entry_->sink_down.store(!sink_->health().reachable);
    }
}

core::Status Delivery::Wait(int wake_fd, std::int64_t timeout_ms) {
    pg::Call([wake_fd, timeout_ms]() { worker::Wait(timeout_ms, wake_fd); });
    NoteStop();
    Publish();
    if (entry_->stop.load()) {
        const std::int64_t deadline = entry_->stop_deadline_us.load();
        if (entry_->sink_down.load() || (deadline != 0 && worker::Now() >= deadline)) {
            return core::Status::Fail(core::kQueryCanceled, "stopped while waiting for the sink",
                                      "What was not acknowledged is delivered again.");
        }
    }
    return core::Status::Ok();
}

void Delivery::MeasureRate(std::int64_t now_us) {
    const std::uint64_t rows = pipeline_->statistics().rows;
    if (now_us - rate_since_us_ >= 1'000'000) {
        entry_->rate_x100.store((rows - rate_rows_) * 100'000'000ULL /
                                static_cast<std::uint64_t>(now_us - rate_since_us_));
        rate_rows_ = rows;
        rate_since_us_ = now_us;
    }
}

void Delivery::Publish() {
    const core::Lsn durable = sink_->DurablePosition();
    if (durable > published_) {
        published_ = durable;
        entry_->durable_lsn.store(durable.value);
        ConditionVariableBroadcast(&entry_->progress);
    }
    ReportHealth();
    if (pipeline_ == nullptr) {
        return;
    }
    const pipeline::Statistics& statistics = pipeline_->statistics();
    entry_->rows.store(statistics.rows, std::memory_order_relaxed);
    entry_->transactions.store(statistics.transactions, std::memory_order_relaxed);
    entry_->transaction_rows.store(pipeline_->transaction_rows(), std::memory_order_relaxed);
    if (statistics.last_commit_time_us != 0) {
        entry_->last_commit_at.store(
            statistics.last_commit_time_us -
            static_cast<std::int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
    }
    MeasureRate(worker::Now());
}

// An outage is shown while it lasts.
void Delivery::ReportHealth() {
    const sink::Health health = sink_->health();
    const std::string& error = health.reachable ? std::string() : health.last_error;
    if (error != reported_error_) {
        reported_error_ = error;
        if (error.empty()) {
            ClearError(entry_);
        } else {
            SetError(entry_, error.c_str(), health.hint.c_str());
            ereport(LOG, (errmsg("bitvelocity stream \"%s\" cannot reach its sink: %s",
                                 entry_->name, error.c_str()),
                          errhint("It goes on by itself; WAL is retained meanwhile.")));
        }
    }
}

// drain_stream asks: the stream is paused in a transaction of its own; its processes are told to go
// only when the slot has passed that commit, so that nothing is left behind it.
void Delivery::ServeDrain() {
    const std::int64_t until = entry_->drain_until_us.load();
    if (until == 0 || worker::Now() >= until || drained_ || pipeline_->in_transaction()) {
        return;
    }
    const std::uint64_t passed = entry_->drain_lsn.load();
    if (passed == 0) {
        pg::TransactionScope transaction;
        {
            pg::SpiScope spi;
            spi.Execute("UPDATE bitvelocity.stream SET paused = true WHERE stream_id = $1",
                        {pg::Param::Int(definition_.stream_id)});
        }
        transaction.Commit();
        entry_->drain_lsn.store(XactLastCommitEnd);
        WakeDecoder(entry_);
    } else if (entry_->confirmed_lsn.load() >= passed) {
        drained_ = true;
        pg::TransactionScope transaction;
        worker::CatalogChanged();
        transaction.Commit();
    }
}

// Letters that somebody asked for, between transactions.
void Delivery::ServeRedrive() {
    if (!entry_->redrive.load() || pipeline_->in_transaction()) {
        return;
    }
    entry_->redrive.store(false);
    pg::ThrowIfError(pipeline_->Boundary(true));
    while (RedriveSome()) {
        NoteStop();
        if (entry_->stop.load()) {
            return;  // the next process looks by itself
        }
    }
}

// False: there are no more. Rows of tables and the mark that they are there commit together; what a
// broker has acknowledged is marked afterwards, and may be sent again if the mark is lost.
bool Delivery::RedriveSome() {
    std::optional<pg::TransactionScope> transaction;
    transaction.emplace();
    std::vector<DeadLetters::Requested> letters = letters_->NextRequested();
    if (letters.empty()) {
        transaction->Commit();
        return false;
    }
    if (bronze_ == nullptr) {
        transaction->Commit();
        transaction.reset();
    }
    std::vector<const core::Change*> events;
    for (const DeadLetters::Requested& letter : letters) {
        if (letter.event != nullptr) {
            events.push_back(&letter.event->change());
        }
    }
    std::vector<std::optional<core::Error>> outcomes;
    pg::ThrowIfError(sink_->Redeliver(events, outcomes));
    auto outcome = outcomes.begin();
    for (DeadLetters::Requested& letter : letters) {
        if (letter.event != nullptr) {
            letter.outcome = std::move(*outcome++);
        }
    }
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::letters_redriven));
    if (!transaction) {
        transaction.emplace();
    }
    letters_->Settle(letters);
    transaction->Commit();
    return true;
}

void Delivery::Deliver() {
    Receiver receiver{};
    const bool open =
        pg::Call([&receiver, entry = entry_]() { return OpenReceiver(&receiver, entry); });
    if (!open) {
        return;
    }
    // What made the last start fail is over; an outage that was met on the way here is not.
    if (reported_error_.empty()) {
        ClearError(entry_);
    }
    entry_->started_at.store(GetCurrentTimestamp());
    entry_->redrive.store(true);  // what was asked for before
    rate_since_us_ = worker::Now();
    std::int64_t empty_since_us = 0;
    bool fed = false;  // since the last wait
    for (;;) {
        NoteStop();
        const char* bytes = nullptr;
        std::size_t length = 0;
        const Received received = pg::Call(
            [&receiver, &bytes, &length]() { return Receive(&receiver, &bytes, &length); });
        if (received == Received::kEnd) {
            return;
        }
        if (received == Received::kBatch) {
            pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_received));
            pg::ThrowIfError(pipeline_->Feed({reinterpret_cast<const std::byte*>(bytes), length}));
            pg::ThrowIfError(pipeline_->Boundary(false));
            pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_fed));
            Publish();
            ServeDrain();
            ServeRedrive();
            pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_published));
            (void)StepSnapshots();
            pg::Call([]() { CHECK_FOR_INTERRUPTS(); });
            empty_since_us = 0;
            fed = true;
            continue;
        }
        // An empty queue in the middle of a backlog only says that this process is the faster one:
        // batches and group commits go on. Nobody waits longer than kMoreSoonMs for that.
        bool idle = entry_->caught_up.load();
        if (!idle) {
            const std::int64_t now_us = worker::Now();
            empty_since_us = empty_since_us == 0 ? now_us : empty_since_us;
            idle = now_us - empty_since_us >= kMoreSoonMs * 1000;
        }
        pg::ThrowIfError(pipeline_->Boundary(idle));
        Publish();
        ServeDrain();
        ServeRedrive();
        std::int64_t timeout = kMoreSoonMs;
        int fd = sink_->wake_fd();
        if (idle && entry_->drain_until_us.load() != 0) {
            timeout = kDrainMs;
        } else if (idle && sink_->settled()) {
            timeout = kIdleMs;
        } else if (idle) {
            const bool later = fed && linger_ms_ > 0;
            timeout = later ? std::min(linger_ms_, kAcknowledgeMs) : kUnsettledMs;
            fd = later ? -1 : fd;
        }
        fed = false;
        const std::int64_t soon = StepSnapshots();
        if (soon >= 0) {
            timeout = std::min(timeout, soon);
        }
        pg::Call([fd, timeout]() { worker::Wait(timeout, fd); });
    }
}

void Delivery::Finish() {
    // A transaction that was cut off is not there: it comes again from its beginning.
    if (pipeline_ != nullptr && !pipeline_->in_transaction()) {
        const std::int64_t deadline = entry_->stop_deadline_us.load();
        const std::int64_t left = deadline == 0 ? kStopUs : deadline - worker::Now();
        const bool down = !sink_->health().reachable;
        pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_draining));
        const core::Status drained =
            sink_->Drain(down ? 0 : std::max<std::int64_t>(left / 1000, 0));
        if (!drained.ok() && drained.error().sqlstate != core::kQueryCanceled) {
            throw pg::StatusError(drained.error());
        }
        if (snapshots_ != nullptr) {
            snapshots_->Save();
        }
    }
    Publish();
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_drained));
    entry_->delivered.store(true);
    WakeDecoder(entry_);
}

}  // namespace

void DelivererMain(const worker::ServiceStart& start) {
    RunProcess(start, Role::kDeliverer, [&start](Entry* entry) {
        Delivery delivery(entry);
        delivery.Load(start.id);
        if (!delivery.WaitForSlot()) {
            return;
        }
        try {
            delivery.OpenSink();
            delivery.Begin();
            delivery.Deliver();
            delivery.Finish();
        } catch (const pg::StatusError& error) {
            if (error.error().sqlstate == sink::kTakenOver) {
                delivery.GiveWay();
            }
            throw;
        }
    });
}

}  // namespace bitvelocity::stream
