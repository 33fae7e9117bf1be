#include "stream/dead_letters.hpp"

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"
#include "pipeline/stream_options.hpp"
#include "worker/loop.hpp"
#include "pg/postgres.hpp"

#include "stream/shared.hpp"

namespace bitvelocity::stream {

namespace {

// Letters read at once, so that a large backlog of them takes little memory.
constexpr int kRedriveRows = 100;
// jsonb takes no more than 256 MB; what is larger is only kept as bytes.
constexpr std::size_t kShownBytes = std::size_t{64} << 20;

// Events are UTF-8, the database may not be.
std::string InServerEncoding(std::string text) {
    if (GetDatabaseEncoding() == PG_UTF8) {
        return text;
    }
    const char* converted = pg::Call([bytes = text.c_str(), length = text.size()]() {
        return static_cast<const char*>(pg_any_to_server(bytes, static_cast<int>(length), PG_UTF8));
    });
    return converted;
}

std::optional<std::string> Unless(bool absent, std::string text) {
    return absent ? std::nullopt : std::optional<std::string>(std::move(text));
}

pg::Param Bytes(const std::string& bytes) {
    const Datum datum = pg::Call([data = bytes.data(), length = bytes.size()]() {
        auto* copy = static_cast<bytea*>(palloc(length + VARHDRSZ));
        SET_VARSIZE(copy, length + VARHDRSZ);
        std::memcpy(VARDATA(copy), data, length);
        return PointerGetDatum(copy);
    });
    return pg::Param::Raw(BYTEAOID, datum, false);
}

int HexDigit(char c) {
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

// bytea's text form under bytea_output = hex, which every process of a stream has.
std::string FromHex(const std::string& text) {
    std::string bytes;
    for (std::size_t i = 2; i + 1 < text.size(); i += 2) {
        bytes.push_back(static_cast<char>(HexDigit(text[i]) * 16 + HexDigit(text[i + 1])));
    }
    return bytes;
}

std::string SourceText(std::uint64_t system_identifier, core::Oid database) {
    return std::to_string(system_identifier) + "." + std::to_string(database);
}

}  // namespace

DeadLetters::DeadLetters(const Definition& definition, const core::Source& source, Entry* entry,
                         const std::vector<pipeline::TableShape>& shapes)
    : stream_id_(definition.stream_id),
      source_(source),
      source_text_(SourceText(source.system_identifier, source.database_oid)),
      entry_(entry),
      skips_(
          pg::ValueOrThrow(pipeline::ParsePoisonOptions(definition.sink, definition.options_json))
              .on_error == pipeline::OnError::kSkip),
      shapes_(shapes) {}

void DeadLetters::Note(const pipeline::Letter& letter) {
    const std::uint64_t count = entry_->poison_events.fetch_add(1) + 1;
    const std::int64_t now = worker::Now();
    const std::int64_t last = entry_->poison_logged_us.load();
    if (last != 0 && now - last < INT64CONST(1000000) * pg::settings::log_interval_s) {
        return;
    }
    entry_->poison_logged_us.store(now);
    const std::string identity = pipeline::IdentityText(letter.change.identity);
    const std::string error = pipeline::ReadableText(letter.error.message);
    pg::Call([entry = entry_, skips = skips_, count, identity_text = identity.c_str(),
              error_text = error.c_str()]() {
        ereport(LOG,
                (errmsg("bitvelocity stream \"%s\" could not deliver event %s: %s", entry->name,
                        identity_text, error_text),
                 errdetail("It %s, as the option on_error says; %llu since the server's start.",
                           skips ? "was skipped" : "became a dead letter",
                           static_cast<unsigned long long>(count))));
    });
}

core::Status DeadLetters::Store(const pipeline::Letter& letter) {
    const core::Change& change = letter.change;
    const core::Identity& identity = change.identity;
    Row row;
    row.epoch = source_.epoch;
    row.commit_lsn = identity.commit_lsn;
    row.xid = static_cast<std::int64_t>(identity.xid);
    row.ordinal = static_cast<std::int64_t>(identity.ordinal);
    row.part = static_cast<std::int32_t>(identity.part);
    core::AppendUuid(row.event_id, core::MakeEventId(identity));
    if (change.relation != nullptr) {
        row.relation = change.relation->schema + "." + change.relation->name;
    }
    row.operation = core::OperationName(change.operation);
    std::string shown = pipeline::ChangeJson(change);
    row.change = Unless(shown.size() > kShownBytes, std::move(shown));
    row.topic = Unless(letter.topic.empty(), pipeline::ReadableText(letter.topic));
    row.key = Unless(!letter.has_key, pipeline::KeyText(letter.key));
    row.sqlstate = letter.error.sqlstate;
    row.error = pipeline::ReadableText(letter.error.message);
    row.detail = Unless(letter.error.detail.empty(), pipeline::ReadableText(letter.error.detail));
    const pipeline::TableShape* shape =
        change.relation != nullptr ? pipeline::FindShape(shapes_, *change.relation) : nullptr;
    row.event = pipeline::WriteLetter(change, shape);
    rows_.push_back(std::move(row));
    return core::Status::Ok();
}

core::Status DeadLetters::Flush() {
    if (rows_.empty()) {
        return core::Status::Ok();
    }
    if (IsTransactionState()) {
        Insert();
    } else {
        pg::TransactionScope transaction;
        Insert();
        transaction.Commit();
    }
    rows_.clear();
    return core::Status::Ok();
}

void DeadLetters::Insert() {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    const auto text = [](const std::optional<std::string>& value) {
        return pg::Param::Text(value ? std::optional<std::string>(InServerEncoding(*value))
                                     : std::nullopt);
    };
    for (const Row& row : rows_) {
        spi.Execute(
            "INSERT INTO bitvelocity.dead_letter (stream_id, stream, source, epoch, commit_lsn, "
            "xid, ordinal, part, event_id, relation, operation, change, topic, key, sqlstate, "
            "error, detail, event) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::uuid, $10, $11, "
            "$12::jsonb, $13, $14, $15, $16, $17, $18) ON CONFLICT (event_id) DO NOTHING",
            {pg::Param::Int(stream_id_), pg::Param::Text(source_.stream),
             pg::Param::Text(source_text_), pg::Param::Int(row.epoch),
             pg::Param::LsnValue(row.commit_lsn), pg::Param::Bigint(row.xid),
             pg::Param::Bigint(row.ordinal), pg::Param::Int(row.part),
             pg::Param::Text(row.event_id), text(row.relation), pg::Param::Text(row.operation),
             text(row.change), text(row.topic), text(row.key), pg::Param::Text(row.sqlstate),
             text(row.error), text(row.detail), Bytes(row.event)});
    }
}

std::vector<DeadLetters::Requested> DeadLetters::NextRequested() {
    std::vector<Requested> letters;
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT id, event::text FROM bitvelocity.dead_letter WHERE stream_id = $1 AND source = $2 "
        "AND epoch = $3 AND redrive_requested_at IS NOT NULL AND redriven_at IS NULL ORDER BY id "
        "LIMIT " +
            std::to_string(kRedriveRows),
        {pg::Param::Int(stream_id_), pg::Param::Text(source_text_), pg::Param::Int(source_.epoch)});
    for (std::size_t i = 0; i < rows.size(); ++i) {
        Requested letter;
        letter.id = rows.Int(i, 1);
        auto read =
            pipeline::ReadLetter(FromHex(rows.Text(i, 2).value_or("")), version_--, &source_);
        if (!read.ok()) {
            letter.outcome = read.error();
        } else {
            const core::RelationSchema* relation = read->event->change().relation;
            const pipeline::TableShape* shape =
                relation != nullptr ? pipeline::FindShape(shapes_, *relation) : nullptr;
            if (read->shape != (shape != nullptr ? shape->text : std::string())) {
                // It was stored as the options were then; today's may hide more.
                core::Error error;
                error.sqlstate = core::kObjectNotInPrerequisiteState;
                error.message = "the options that shape the table have changed since";
                letter.outcome = std::move(error);
            } else {
                letter.event = std::move(read->event);
            }
        }
        letters.push_back(std::move(letter));
    }
    return letters;
}

void DeadLetters::Settle(const std::vector<Requested>& letters) {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    for (const Requested& letter : letters) {
        if (!letter.outcome) {
            spi.Execute(
                "UPDATE bitvelocity.dead_letter SET redriven_at = clock_timestamp(), "
                "redrive_requested_at = NULL WHERE id = $1",
                {pg::Param::Bigint(letter.id)});
            continue;
        }
        const core::Error& error = *letter.outcome;
        spi.Execute(
            "UPDATE bitvelocity.dead_letter SET redrive_requested_at = NULL, sqlstate = $2, error "
            "= $3, detail = NULLIF($4, '') WHERE id = $1",
            {pg::Param::Bigint(letter.id), pg::Param::Text(error.sqlstate),
             pg::Param::Text(InServerEncoding(pipeline::ReadableText(error.message))),
             pg::Param::Text(InServerEncoding(pipeline::ReadableText(error.detail)))});
    }
}

namespace {

// Streams whose deliverer is told when the current transaction commits. A rolled back savepoint
// leaves it told: a needless look.
constexpr int kTold = 16;
std::int32_t g_told[kTold];
int g_told_count = 0;

void TellAtCommit(XactEvent event, void* /*argument*/) {
    if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE) {
        return;
    }
    for (int i = 0; i < g_told_count && event == XACT_EVENT_COMMIT; ++i) {
        Entry* entry = FindEntry(MyDatabaseId, g_told[i], "", false);
        if (entry != nullptr) {
            entry->redrive.store(true);
            WakeDeliverer(entry);
        }
    }
    g_told_count = 0;
}

void Tell(std::int32_t stream_id) {
    static bool registered = false;
    if (!std::exchange(registered, true)) {
        pg::Call([]() { RegisterXactCallback(TellAtCommit, nullptr); });
    }
    for (int i = 0; i < g_told_count; ++i) {
        if (g_told[i] == stream_id) {
            return;
        }
    }
    if (g_told_count == kTold) {
        pg::Throw("54000", "too many streams in one transaction", {},
                  "Send the letters of further streams in another transaction.");
    }
    g_told[g_told_count++] = stream_id;
}

}  // namespace

std::int64_t RequestRedrive(std::int32_t stream_id, const std::string& stream, std::uintptr_t ids,
                            bool all) {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    const pg::Param wanted = pg::Param::Raw(INT8ARRAYOID, ids, all);
    // Letters of an earlier epoch, cluster or stream of that name: their rows came again since.
    const pg::Rows foreign = spi.Execute(
        "SELECT w.id, l.id IS NULL FROM unnest($2) w (id) LEFT JOIN bitvelocity.dead_letter l ON "
        "l.id = w.id AND l.stream = $1 LEFT JOIN bitvelocity.stream s ON s.stream_id = l.stream_id "
        "AND s.epoch = l.epoch AND l.source = s.system_identifier || '.' || s.database_oid WHERE "
        "s.stream_id IS DISTINCT FROM $3 ORDER BY w.id LIMIT 1",
        {pg::Param::Text(stream), wanted, pg::Param::Int(stream_id)});
    if (!foreign.empty()) {
        const std::string id = std::to_string(foreign.Int(0, 1));
        if (foreign.Bool(0, 2)) {
            pg::Throw("42704", "stream \"" + stream + "\" has no dead letter " + id);
        }
        pg::Throw("55000", "dead letter " + id + " is of an earlier life of the stream",
                  "Its rows were sent again when the stream began anew.",
                  "Delete it from bitvelocity.dead_letter once you need it no more.");
    }
    const pg::Rows asked = spi.Execute(
        "UPDATE bitvelocity.dead_letter l SET redrive_requested_at = clock_timestamp() FROM "
        "bitvelocity.stream s WHERE s.stream_id = $1 AND l.stream_id = s.stream_id AND s.epoch = "
        "l.epoch AND l.source = s.system_identifier || '.' || s.database_oid AND l.redriven_at IS "
        "NULL AND ($2 IS NULL OR l.id = ANY ($2))",
        {pg::Param::Int(stream_id), wanted});
    Tell(stream_id);
    return static_cast<std::int64_t>(asked.processed());
}

}  // namespace bitvelocity::stream
