#include "stream/snapshot.hpp"

#include <algorithm>
#include <utility>

#include "core/failpoint.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "wal/frame.hpp"
#include "worker/loop.hpp"
#include "pg/postgres.hpp"

#include "stream/watermark.hpp"

namespace bitvelocity::stream {

namespace {

// How long until something is looked at again that nobody tells us of.
constexpr std::int64_t kLookAgainMs = 20;
// The rows' parser describes the same tables as the stream's: its versions are not to be mistaken.
constexpr std::uint32_t kFirstVersion = 1U << 31;

// A Begin, so that the rows are inside a transaction, as the parser wants it.
std::string BeginMessage() {
    return "B" + std::string(sizeof(std::uint64_t) * 2 + sizeof(std::uint32_t), '\0');
}

wal::ParserOptions RowParserOptions(const core::Source& source) {
    wal::ParserOptions options;
    options.source = source;
    options.first_version = kFirstVersion;
    return options;
}

core::Status FeedFrames(wal::Parser& parser, const std::string& frames) {
    wal::FrameReader reader({reinterpret_cast<const std::byte*>(frames.data()), frames.size()});
    wal::Frame frame;
    while (reader.Next(frame)) {
        BV_RETURN_IF_ERROR(parser.ParseFrame(frame));
    }
    return core::Status::Ok();
}

bool SameKeys(const model::RowKeys& a, const model::RowKeys& b) {
    return a.whole() == b.whole() &&
           std::equal(a.columns().begin(), a.columns().end(), b.columns().begin(),
                      b.columns().end(), [](const auto& left, const auto& right) {
                          return left.name == right.name && left.type == right.type;
                      });
}

bool IsPartial(const core::Change& change) {
    return std::any_of(change.after.begin(), change.after.end(), [](const core::Value& value) {
        return value.kind == core::ValueKind::kUnchanged;
    });
}

std::int64_t UnixNow() {
    return GetCurrentTimestamp() +
           static_cast<std::int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

}  // namespace

Snapshots::Snapshots(const Definition& definition, Entry* entry, const core::Source& source,
                     pipeline::Pipeline& pipeline, sink::Sink& sink, BronzeSink* bronze,
                     std::uint64_t chunk_rows)
    : definition_(definition),
      entry_(entry),
      source_(source),
      pipeline_(pipeline),
      sink_(sink),
      bronze_(bronze),
      reader_(definition, chunk_rows),
      handler_(*this),
      parser_(RowParserOptions(source_), handler_) {
    const std::string begin = BeginMessage();
    pg::ThrowIfError(parser_.ParseFrame({core::Lsn{}, begin}));
    std::uint64_t random = 0;
    if (!pg_strong_random(&random, sizeof(random))) {
        pg::Throw(core::kInternalError, "could not generate a random watermark");
    }
    nonce_ = std::to_string(random);
    pg::TransactionScope transaction;
    for (SnapshotRequest& request : LoadSnapshotRequests(definition_.stream_id)) {
        model::ChunkWindow& window = windows_[request.relation];
        if (!request.place.values.empty()) {
            window.Begin();
        }
        requests_.push_back(std::move(request));
    }
    for (const auto& [relation, window] : windows_) {
        keys_[relation] = reader_.KeysOf(relation);
    }
    transaction.Commit();
    if (requests_.empty()) {
        return;
    }
    pipeline_.Watch(this);
    rate_since_us_ = worker::Now();
    Publish();
    rate_rows_ = entry_->snapshot_rows.load();
}

Snapshots::~Snapshots() {
    pipeline_.Watch(nullptr);
}

// Every transaction that has an id by now may have been delivered already. An id that is in use is
// not always in a snapshot's list: one may be newer than everything that ended.
bool Snapshots::Started() {
    if (!started_) {
        if (!horizon_) {
            horizon_ = pg::Call([]() { return ReadNextTransactionId(); });
        }
        started_ = pg::Call([horizon = *horizon_]() {
            return TransactionIdFollowsOrEquals(GetOldestActiveTransactionId(), horizon);
        });
        entry_->snapshot_waiting.store(!started_);
    }
    return started_;
}

// The guard of retained WAL wants no more rows read. Keys of a chunk that is not yet whole are read
// all the same: until then nothing of it is saved. Neither changes that go by nor the position of
// the slot wait for rows, so what is retained does become less.
bool Snapshots::Throttled() {
    const bool now = entry_->throttled.load() && again_.empty();
    if (std::exchange(throttled_, now) != now) {
        entry_->snapshot_rate_x100.store(0);
        rate_rows_ = entry_->snapshot_rows.load();
        rate_since_us_ = worker::Now();
    }
    return now;
}

std::int64_t Snapshots::Step() {
    Save();
    if (requests_.empty() || flight_ || entry_->stop.load() || worker::StopRequested()) {
        return -1;
    }
    // What is still not seen when it was read again may stay so for long.
    if (!Started() || worker::Now() < again_after_us_) {
        return kLookAgainMs;
    }
    if (Throttled()) {
        return -1;  // the guard sets the latch
    }
    if (bronze_ != nullptr) {
        pg::ThrowIfError(bronze_->Boundary(true));
    }
    Flight flight;
    flight.again = !again_.empty();
    switch (ReadChunk(flight)) {
        case ReadOutcome::kLater:
            return kLookAgainMs;
        case ReadOutcome::kNothing:
            again_.clear();
            Finished(written_, true);
            return 0;
        case ReadOutcome::kChunk:
            break;
    }
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_chunk_read));
    const auto snapshot = model::Visibility::Parse(flight.chunk.snapshot);
    const core::Oid relation = requests_.front().relation;
    if (!SameKeys(keys_[relation], flight.chunk.keys)) {
        windows_[relation].ForgetKeys();
        keys_[relation] = flight.chunk.keys;
    }
    // What this snapshot sees all later ones see: of no table anybody needs to remember it.
    for (auto& [table, window] : windows_) {
        window.Open(*snapshot);
    }
    windows_[relation].Begin();
    flight.mark = nonce_ + " " + std::to_string(++chunks_) + " " + flight.chunk.snapshot;
    WriteWatermark(definition_.name, flight.mark);
    flight_ = std::move(flight);
    read_time_us_ = UnixNow();
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_watermarked));
    WakeDecoder(entry_);
    return -1;
}

// A condition that fails is the fault of who asked for these rows: the stream goes on.
ReadOutcome Snapshots::ReadChunk(Flight& flight) {
    SnapshotRequest& request = requests_.front();
    model::ChunkWindow& window = windows_[request.relation];
    try {
        return flight.again ? reader_.Again(request, again_, window, &flight.chunk)
                            : reader_.Next(request, window, &flight.chunk);
    } catch (const pg::PgError& error) {
        if (request.filter.empty() || worker::StopRequested()) {
            throw;
        }
        const std::string message = error.what();
        {
            pg::TransactionScope transaction;
            FailSnapshotRequest(request.id, message);
            transaction.Commit();
        }
        pg::Call([name = entry_->name, relation = request.relation, text = message.c_str()]() {
            ereport(LOG, (errmsg("bitvelocity stream \"%s\" gave up a snapshot of table %u: %s",
                                 name, relation, text)));
        });
        again_.clear();
        Leave();
        return ReadOutcome::kLater;
    }
}

void Snapshots::OnChange(const core::Change& change) {
    if (change.relation == nullptr) {
        return;
    }
    const auto found = windows_.find(change.relation->oid);
    if (found == windows_.end()) {
        return;
    }
    model::ChunkWindow& window = found->second;
    model::RowKeys& keys = keys_[change.relation->oid];
    const std::uint32_t xid = change.identity.xid;
    if (change.operation == core::Operation::kTruncate) {
        window.Truncated(xid);
        return;
    }
    const bool tells_before = !change.before.empty();
    const bool tells_after = !change.after.empty();
    const auto before = tells_before
                            ? keys.Make(*change.relation, change.before, change.before_is_key)
                            : std::nullopt;
    const auto after =
        tells_after ? keys.Make(*change.relation, change.after, false) : std::nullopt;
    if (tells_before != before.has_value() || tells_after != after.has_value()) {
        window.ChangedUnknown(xid);
        return;
    }
    const bool moved = before && after && *before != *after;
    if (before && (moved || !after)) {
        window.ChangedRow(xid, *before, false);
    }
    if (after) {
        const bool partial = IsPartial(change);
        if (moved && partial) {
            window.MovedRow(xid, *after);
        } else {
            window.ChangedRow(xid, *after, partial);
        }
    }
}

core::Status Snapshots::OnWatermark(core::Lsn lsn, std::string_view content) {
    if (!flight_ || content != flight_->mark) {
        return core::Status::Ok();  // of a process that is gone
    }
    if (windows_[requests_.front().relation].Unusable()) {
        flight_.reset();
        return core::Status::Ok();
    }
    return WriteChunk(lsn);
}

core::Status Snapshots::WriteChunk(core::Lsn lsn) {
    const Flight flight = std::move(*flight_);
    flight_.reset();
    SnapshotRequest& request = requests_.front();
    const model::ChunkWindow& window = windows_[request.relation];
    identity_ = {};
    identity_.source = &source_;
    // Inside the watermark's record, which ends where the next commit may begin.
    identity_.commit_lsn = core::Lsn{lsn.value - 1};
    identity_.xid = static_cast<std::uint32_t>(std::strtoull(
        flight.chunk.snapshot.c_str() + flight.chunk.snapshot.find(':') + 1, nullptr, 10));
    if (flight.again) {
        // A key that is not there any more is done, too, once its change is seen.
        std::erase_if(again_, [&window](const std::string& key) {
            return window.Judge(key) != model::Verdict::kAgain;
        });
    }
    if (flight.chunk.description != described_) {
        BV_RETURN_IF_ERROR(FeedFrames(parser_, flight.chunk.description));
        described_ = flight.chunk.description;
    }
    again_read_ = flight.again;
    BV_RETURN_IF_ERROR(FeedFrames(parser_, flight.chunk.rows));
    BV_RETURN_IF_ERROR(pipeline_.EndSnapshot(lsn));
    BV_RETURN_IF_ERROR(core::PassFailpoint(core::Failpoint::deliverer_copied));
    for (std::string& key : windows_[request.relation].TakeMoved()) {
        again_.push_back(std::move(key));
    }
    request.rows_sent += identity_.ordinal;
    if (!flight.again) {
        request.rows_read += flight.chunk.read;
        request.place = flight.chunk.place;
        last_ = flight.chunk.last;
    }
    written_ = lsn;
    again_after_us_ = flight.again && !again_.empty() ? worker::Now() + kLookAgainMs * 1000 : 0;
    if (again_.empty()) {
        Finished(lsn, last_);
    }
    Publish();
    return core::Status::Ok();
}

core::Status Snapshots::WriteRow(const core::Change& row) {
    const core::Oid relation = requests_.front().relation;
    if (const auto key = keys_[relation].Make(*row.relation, row.after, false)) {
        switch (windows_[relation].Judge(*key)) {
            case model::Verdict::kCurrent:
                break;
            case model::Verdict::kAgain:
                if (!again_read_) {
                    again_.push_back(*key);
                }
                return core::Status::Ok();
            case model::Verdict::kOld:
                return core::Status::Ok();
        }
    }
    core::Change change = row;
    change.operation = core::Operation::kRead;
    ++identity_.ordinal;
    change.identity = identity_;
    change.lsn = identity_.commit_lsn;
    change.commit_time_us = read_time_us_;
    return pipeline_.WriteSnapshotRow(change);
}

void Snapshots::Finished(core::Lsn lsn, bool last) {
    const SnapshotRequest& request = requests_.front();
    if (bronze_ != nullptr) {
        pg::ThrowIfError(bronze_->Alongside(
            [&]() { SaveSnapshotRequest(definition_.stream_id, request, last); }));
        pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_chunk_saved));
    } else {
        unsaved_.push_back({lsn, request, last});
    }
    if (last) {
        Leave();
    }
}

// The first request is not read any more.
void Snapshots::Leave() {
    const core::Oid relation = requests_.front().relation;
    rows_before_ += requests_.front().rows_read;
    last_ = false;
    requests_.pop_front();
    if (std::none_of(requests_.begin(), requests_.end(),
                     [relation](const auto& request) { return request.relation == relation; })) {
        windows_.erase(relation);
        keys_.erase(relation);
    }
    if (requests_.empty()) {
        pipeline_.Watch(nullptr);
    }
    Publish();
}

void Snapshots::Save() {
    if (unsaved_.empty() || unsaved_.front().lsn > sink_.DurablePosition()) {
        return;
    }
    pg::TransactionScope transaction;
    while (!unsaved_.empty() && unsaved_.front().lsn <= sink_.DurablePosition()) {
        const Unsaved& unsaved = unsaved_.front();
        SaveSnapshotRequest(definition_.stream_id, unsaved.request, unsaved.finished);
        unsaved_.pop_front();
    }
    transaction.Commit();
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_chunk_saved));
}

void Snapshots::Publish() {
    std::uint64_t rows = rows_before_;
    std::uint64_t total = rows_before_;
    for (const SnapshotRequest& request : requests_) {
        rows += request.rows_read;
        total += std::max(request.estimate, request.rows_read);
    }
    entry_->snapshot_rows.store(rows);
    entry_->snapshot_total.store(total);
    entry_->snapshot_table.store(requests_.empty() ? InvalidOid : requests_.front().relation);
    const std::int64_t now_us = worker::Now();
    if (now_us - rate_since_us_ >= 1'000'000) {
        entry_->snapshot_rate_x100.store((rows - rate_rows_) * 100'000'000ULL /
                                         static_cast<std::uint64_t>(now_us - rate_since_us_));
        rate_rows_ = rows;
        rate_since_us_ = now_us;
    }
}

}  // namespace bitvelocity::stream
