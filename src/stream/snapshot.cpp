#include "stream/snapshot.hpp"

#include <algorithm>
#include <utility>

#include "core/failpoint.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
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

bool SameKeys(const model::RowKeys& a, const model::RowKeys& b) {
    return a.whole() == b.whole() &&
           std::equal(a.columns().begin(), a.columns().end(), b.columns().begin(),
                      b.columns().end(), [](const auto& left, const auto& right) {
                          return left.name == right.name && left.type == right.type;
                      });
}

// The rows before the place are done, and told apart by these keys.
bool GoesOn(const model::Place& place, const model::RowKeys& keys) {
    return !place.values.empty() && !keys.whole() &&
           std::equal(place.columns.begin(), place.columns.end(), keys.columns().begin(),
                      keys.columns().end(), [](const std::string& name, const auto& column) {
                          return name == column.name;
                      });
}

std::int64_t UnixNow() {
    return GetCurrentTimestamp() +
           static_cast<std::int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

}  // namespace

Snapshots::Snapshots(const Definition& definition, Entry* entry, const core::Source& source,
                     pipeline::Pipeline& pipeline, sink::Sink& sink, BronzeSink* bronze,
                     const pipeline::SnapshotOptions& options)
    : definition_(definition),
      entry_(entry),
      source_(source),
      pipeline_(pipeline),
      sink_(sink),
      bronze_(bronze),
      reader_(definition, options.chunk_rows),
      handler_(*this),
      parser_(RowParserOptions(source_), handler_),
      wanted_readers_(options.readers) {
    const std::string begin = BeginMessage();
    pg::ThrowIfError(parser_.ParseFrame({core::Lsn{}, begin}));
    std::uint64_t random = 0;
    if (!pg_strong_random(&random, sizeof(random))) {
        pg::Throw(core::kInternalError, "could not generate a random watermark");
    }
    nonce_ = std::to_string(random);
    pg::TransactionScope transaction;
    for (SnapshotRequest& request : LoadSnapshotRequests(definition_.stream_id)) {
        model::WatchedTable& table = tables_[request.relation];
        if (!request.place.values.empty()) {
            table.window.Begin();
        }
        Reading& reading = readings_.emplace_back();
        reading.place = request.place;
        reading.again = std::exchange(request.moved, {});
        reading.noted = reading.again.size();
        reading.request = std::move(request);
    }
    for (auto& [relation, table] : tables_) {
        table.keys = reader_.KeysOf(relation);
    }
    for (Reading& reading : readings_) {
        if (!reading.again.empty() &&
            !GoesOn(reading.place, tables_[reading.request.relation].keys)) {
            reading.again.clear();  // every row is read anyway
        }
    }
    transaction.Commit();
    if (readings_.empty()) {
        return;
    }
    if (wanted_readers_ > 1) {
        readers_ = std::make_unique<Readers>(definition_, wanted_readers_);
    }
    pipeline_.Watch(this);
    rate_since_us_ = worker::Now();
    Publish();
    rate_rows_ = entry_->snapshot_rows.load();
}

Snapshots::~Snapshots() {
    pipeline_.Watch(nullptr);
}

// Before the event goes anywhere: once it is durable nothing tells of it any more, and the row it
// came from may not have been read.
void Snapshots::NoteMoved(core::Oid relation, const std::string& key) {
    const auto reading =
        std::find_if(readings_.begin(), readings_.end(),
                     [relation](const Reading& one) { return one.request.relation == relation; });
    if (reading == readings_.end()) {
        return;
    }
    ++reading->noted;
    if (bronze_ != nullptr) {
        pg::ThrowIfError(bronze_->Alongside([&]() { NoteMovedRow(reading->request.id, key); }));
        return;
    }
    pg::TransactionScope transaction;
    NoteMovedRow(reading->request.id, key);
    transaction.Commit();
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
void Snapshots::NoteThrottle() {
    const bool now = entry_->throttled.load();
    if (std::exchange(throttled_, now) != now) {
        entry_->snapshot_rate_x100.store(0);
        rate_rows_ = entry_->snapshot_rows.load();
        rate_since_us_ = worker::Now();
    }
}

std::int64_t Snapshots::Step() {
    Save();
    if (readings_.empty() || entry_->stop.load() || worker::StopRequested()) {
        readers_ = nullptr;
        return -1;
    }
    if (!Started()) {
        return kLookAgainMs;
    }
    NoteThrottle();
    return readers_ != nullptr ? HaveThemRead() : ReadAlone();
}

// One chunk at a time, of the oldest request.
std::int64_t Snapshots::ReadAlone() {
    Reading& reading = readings_.front();
    if (!flights_.empty()) {
        return -1;
    }
    // What is still not seen when it was read again may stay so for long.
    if (!MayOrder(reading, worker::Now())) {
        // Held back, it is woken by the guard.
        return throttled_ && reading.again.empty() ? -1 : kLookAgainMs;
    }
    if (bronze_ != nullptr) {
        pg::ThrowIfError(bronze_->Boundary(true));
    }
    Take(Read(Order(reading)));
    return flights_.empty() ? 0 : -1;
}

// Of the first requests as many as there are readers, each of a table of its own.
std::int64_t Snapshots::HaveThemRead() {
    while (auto answer = readers_->Take()) {
        Take(std::move(*answer));
    }
    const std::int64_t now_us = worker::Now();
    std::int64_t wait = -1;
    std::vector<core::Oid> tables;
    for (Reading& reading : readings_) {
        const core::Oid relation = reading.request.relation;
        if (std::find(tables.begin(), tables.end(), relation) != tables.end()) {
            continue;
        }
        if (tables.size() == wanted_readers_) {
            break;
        }
        tables.push_back(relation);
        if (reading.not_before_us > now_us) {
            wait = kLookAgainMs;
        }
        if (!MayOrder(reading, now_us)) {
            continue;
        }
        // They are started outside a transaction.
        if (bronze_ != nullptr && !readers_->Idle()) {
            pg::ThrowIfError(bronze_->Boundary(true));
        }
        if (!readers_->Ready()) {
            break;
        }
        readers_->Give(Order(reading));
    }
    if (!readers_->exhausted().empty()) {
        ReportFewReaders();
        if (readers_->size() == 0) {
            readers_ = nullptr;
            return 0;
        }
    }
    return wait;
}

void Snapshots::ReportFewReaders() {
    const std::size_t size = readers_->size();
    if (std::exchange(reported_, true) && size > 0) {
        return;
    }
    pg::Call([name = entry_->name, why = readers_->exhausted().c_str(), size,
              wanted = wanted_readers_]() {
        ereport(LOG,
                (size == 0 ? errmsg("bitvelocity stream \"%s\" reads existing rows in its "
                                    "deliverer: %s",
                                    name, why)
                           : errmsg("bitvelocity stream \"%s\" reads existing rows with %zu of "
                                    "%zu readers: %s",
                                    name, size, static_cast<std::size_t>(wanted), why),
                 errhint("Readers need max_worker_processes.")));
    });
}

// A table's next chunk is read while one is on its way, but keys are read again behind everything.
bool Snapshots::MayOrder(const Reading& reading, std::int64_t now_us) const {
    const bool room = reading.again.empty() ? !throttled_ && !reading.read_up && reading.flights < 2
                                            : reading.flights == 0;
    return room && reading.order == 0 && now_us >= reading.not_before_us;
}

model::ChunkOrder Snapshots::Order(Reading& reading) {
    model::ChunkWindow& window = tables_[reading.request.relation].window;
    window.Ask();
    model::ChunkOrder order;
    order.number = ++orders_;
    order.relation = reading.request.relation;
    order.filter = reading.request.filter;
    order.place = reading.place;
    order.again = !reading.again.empty();
    order.keys = reading.again;
    order.must_see = window.unknown();
    reading.order = order.number;
    return order;
}

model::ChunkAnswer Snapshots::Read(const model::ChunkOrder& order) {
    model::ChunkAnswer answer;
    answer.number = order.number;
    answer.again = order.again;
    try {
        answer.outcome = reader_.Read(order, &answer.chunk);
    } catch (const pg::PgError& error) {
        if (order.filter.empty() || worker::StopRequested()) {
            throw;
        }
        answer.outcome = model::ReadOutcome::kFailed;
        answer.error = error.ToError();
    }
    return answer;
}

void Snapshots::Take(model::ChunkAnswer answer) {
    const auto found =
        std::find_if(readings_.begin(), readings_.end(),
                     [&answer](const Reading& reading) { return reading.order == answer.number; });
    if (found == readings_.end()) {
        return;  // given up meanwhile
    }
    Reading& reading = *found;
    reading.order = 0;
    if (answer.outcome == model::ReadOutcome::kChunk) {
        Arrived(reading, answer);
        return;
    }
    tables_[reading.request.relation].window.Withdraw();
    reading.not_before_us = worker::Now() + kLookAgainMs * 1000;
    if (answer.outcome == model::ReadOutcome::kFailed) {
        Failed(reading, answer.error);
    } else if (answer.outcome == model::ReadOutcome::kNothing && reading.flights == 0) {
        Finished(written_, reading, true);
    }
}

void Snapshots::Arrived(Reading& reading, model::ChunkAnswer& answer) {
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_chunk_read));
    const core::Oid relation = reading.request.relation;
    model::WatchedTable& table = tables_[relation];
    const auto snapshot = model::Visibility::Parse(answer.chunk.snapshot);
    if (!snapshot) {
        pg::Throw(core::kInternalError, "a chunk of existing rows has no snapshot");
    }
    if (!SameKeys(table.keys, answer.chunk.keys)) {
        table.window.ForgetKeys();
        table.keys = answer.chunk.keys;
        // What was written, what is on its way and what is to be read again mean nothing by these
        // keys: every row is read anew.
        for (Reading& one : readings_) {
            if (one.request.relation == relation) {
                one.request.place = {};
                one.written_up = false;
                one.again.clear();
                GiveUp(one);
            }
        }
        return;
    }
    tables_.Read(relation, *snapshot);
    if (!table.window.Settled(*snapshot)) {
        table.window.Withdraw();
        reading.not_before_us = worker::Now() + kLookAgainMs * 1000;
        return;
    }
    if (!answer.again) {
        reading.place = answer.chunk.place;
        reading.read_up = answer.chunk.last;
    }
    // The message is to be in no transaction.
    if (bronze_ != nullptr) {
        pg::ThrowIfError(bronze_->Boundary(true));
    }
    Flight& flight = flights_.emplace_back();
    ++reading.flights;
    flight.reading = &reading;
    flight.again = answer.again;
    flight.mark = nonce_ + " " + std::to_string(answer.number) + " " + answer.chunk.snapshot;
    flight.chunk = std::move(answer.chunk);
    WriteWatermark(definition_.name, flight.mark);
    flight.read_time_us = UnixNow();
    pg::ThrowIfError(core::PassFailpoint(core::Failpoint::deliverer_watermarked));
    WakeDecoder(entry_);
}

// A condition that fails is the fault of who asked for these rows: the stream goes on.
void Snapshots::Failed(Reading& reading, const core::Error& error) {
    if (reading.request.filter.empty()) {
        if (error.sqlstate == core::kQueryCanceled) {
            return;  // the reader's statement was: it is read again
        }
        throw pg::StatusError(error);
    }
    GiveUp(reading);
    const SnapshotRequest& request = reading.request;
    std::erase_if(unsaved_,
                  [&request](const Unsaved& unsaved) { return unsaved.request.id == request.id; });
    if (bronze_ != nullptr) {
        pg::ThrowIfError(bronze_->Boundary(true));
    }
    {
        pg::TransactionScope transaction;
        FailSnapshotRequest(request.id, error.message);
        transaction.Commit();
    }
    pg::Call([name = entry_->name, relation = request.relation, text = error.message.c_str()]() {
        ereport(LOG, (errmsg("bitvelocity stream \"%s\" gave up a snapshot of table %u: %s", name,
                             relation, text)));
    });
    Leave(reading);
}

// What was read behind the last chunk that is written is read anew.
void Snapshots::GiveUp(Reading& reading) {
    std::erase_if(flights_,
                  [&reading](const Flight& flight) { return flight.reading == &reading; });
    reading.flights = 0;
    reading.order = 0;
    reading.place = reading.request.place;
    reading.read_up = reading.written_up;
    tables_[reading.request.relation].window.GiveUp();
}

}  // namespace bitvelocity::stream
