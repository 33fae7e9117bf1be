#include "stream/verbs.hpp"

#include <algorithm>
#include <set>

#include "core/nearest.hpp"
#include "pg/boundary.hpp"
#include "pg/parse.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pipeline/message_sink.hpp"
#include "stream/dead_letters.hpp"
#include "stream/published_tables.hpp"
#include "stream/shaping.hpp"
#include "trail/bronze_table.hpp"
#include "worker/worker.hpp"
#include "pg/postgres.hpp"

#include "stream/shared.hpp"

namespace bitvelocity::stream {

namespace {

constexpr const char* kEmbedded = "bronze";
// bitvelocity_<oid>_<stream>_<8 hex digits> has to fit a slot name of 63 bytes.
constexpr std::size_t kNameLength = 30;

struct StreamRow {
    std::int32_t id = 0;
    std::string sink;
    std::string format;
    bool own_publications = false;
    std::string phase;
    bool home = false;
    bool survives = false;  // goes on after events that cannot be delivered
};

void RequireLogicalWal() {
    worker::RequireAvailable();
    if (!XLogLogicalInfoActive()) {
        pg::Throw(
            "55000", "wal_level is not logical",
            "Streams decode the WAL, which carries what they need only with wal_level = logical.",
            "Run ALTER SYSTEM SET wal_level = 'logical', then restart the server.");
    }
}

// Values travel as UTF-8. Bronze keeps them in the database's encoding, which could not hold them
// all.
void RequireEncoding(const std::string& sink) {
    const int encoding = GetDatabaseEncoding();
    if (encoding == PG_UTF8 || (encoding != PG_SQL_ASCII && sink != kEmbedded)) {
        return;
    }
    pg::Throw(core::kFeatureNotSupported,
              std::string("the database's encoding is ") + pg_encoding_to_char(encoding),
              sink == kEmbedded
                  ? "Bronze tables need a database with encoding UTF8."
                  : "What bytes mean is unknown in a database with encoding SQL_ASCII.",
              "Restore the database into one made with ENCODING 'UTF8'.");
}

void ValidateName(const std::string& name) {
    bool good = !name.empty() && name.size() <= kNameLength;
    for (const char c : name) {
        good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
    }
    if (!good) {
        pg::Throw("42602", "invalid stream name \"" + name + "\"",
                  "A stream's name is part of its slot's name.",
                  "Use 1 to 30 lower-case letters, digits and underscores.");
    }
}

// One stream definition changes at a time in a database.
StreamRow LockStream(const std::string& name) {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT stream_id, sink, format, own_publications, phase, bitvelocity.stream_is_home("
        "system_identifier, database_oid, catalog_oid), coalesce(options ->> 'on_error', "
        "'stop') <> 'stop' FROM bitvelocity.stream WHERE stream_name = $1 FOR UPDATE",
        {pg::Param::Text(name)});
    if (rows.empty()) {
        const pg::Rows all = spi.Execute("SELECT stream_name FROM bitvelocity.stream");
        std::set<std::string> names;
        for (std::size_t i = 0; i < all.size(); ++i) {
            names.insert(all.Text(i, 1).value_or(""));
        }
        pg::Throw("42704", "stream \"" + name + "\" does not exist", {},
                  names.empty()
                      ? "There is no stream yet: SELECT bitvelocity.create_bronze('a_table')."
                      : core::NearestHint(name, names, "streams"));
    }
    StreamRow row;
    row.id = static_cast<std::int32_t>(rows.Int(0, 1));
    row.sink = rows.Text(0, 2).value_or("");
    row.format = rows.Text(0, 3).value_or("");
    row.own_publications = rows.Bool(0, 4);
    row.phase = rows.Text(0, 5).value_or("");
    row.home = rows.Bool(0, 6);
    row.survives = rows.Bool(0, 7);
    return row;
}

std::string NewSlotName(const std::string& stream) {
    std::uint32_t random = 0;
    if (!pg_strong_random(&random, sizeof(random))) {
        pg::Throw(core::kInternalError, "could not generate a random slot name");
    }
    char name[NAMEDATALEN];
    snprintf(name, sizeof(name), "bitvelocity_%u_%s_%08x", MyDatabaseId, stream.c_str(), random);
    return name;
}

std::string TextArray(const std::vector<std::string>& values) {
    std::string array = "{";
    for (const std::string& value : values) {
        array += array.size() > 1 ? ",\"" : "\"";
        for (const char c : value) {
            if (c == '"' || c == '\\') {
                array.push_back('\\');
            }
            array.push_back(c);
        }
        array.push_back('"');
    }
    return array + "}";
}

void AddTable(std::int32_t stream_id, core::Oid table, core::Oid bronze, bool snapshot) {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    spi.Execute(
        "INSERT INTO bitvelocity.stream_table (stream_id, relation, bronze, existing_rows) "
        "VALUES ($1, $2, NULLIF($3, 0::oid), $4)",
        {pg::Param::Int(stream_id), pg::Param::OidValue(table), pg::Param::OidValue(bronze),
         pg::Param::Text(snapshot ? "pending" : "none")});
    if (bronze != InvalidOid) {
        spi.Execute(
            "SELECT bitvelocity.record_lineage($1::regclass, $2::regclass, 'CDC_CAPTURE', "
            "jsonb_build_object('stream', stream_name)) FROM bitvelocity.stream WHERE stream_id = "
            "$3",
            {pg::Param::OidValue(table), pg::Param::OidValue(bronze), pg::Param::Int(stream_id)});
    }
}

void Changed(std::int32_t stream_id) {
    {
        pg::CatalogScope as_extension;
        pg::SpiScope spi;
        spi.Execute("UPDATE bitvelocity.stream SET version = version + 1 WHERE stream_id = $1",
                    {pg::Param::Int(stream_id)});
    }
    worker::CatalogChanged();
}

bool HasTable(std::int32_t stream_id, core::Oid table) {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    return !spi.Execute(
                   "SELECT 1 FROM bitvelocity.stream_table WHERE stream_id = $1 AND "
                   "relation = $2",
                   {pg::Param::Int(stream_id), pg::Param::OidValue(table)})
                .empty();
}

// What is open of a table (0: of all) does not go on; as the extension.
void ForgetSnapshots(std::int32_t stream_id, core::Oid table) {
    pg::SpiScope spi;
    spi.Execute(
        "DELETE FROM bitvelocity.stream_snapshot WHERE stream_id = $1 AND finished_at IS NULL AND "
        "($2 = 0::oid OR relation = $2)",
        {pg::Param::Int(stream_id), pg::Param::OidValue(table)});
}

// Publishes tables through the stream's own publications, each in the way its key allows.
void Publish(const std::string& stream, const std::vector<core::Oid>& tables,
             const std::string& on_missing_key) {
    std::vector<core::Oid> full;
    std::vector<core::Oid> insert_only;
    for (const core::Oid table : tables) {
        RequirePublishable(table);
        (HandleMissingKey(table, on_missing_key) ? insert_only : full).push_back(table);
    }
    EnsurePublications(stream);
    PublishTables(stream, full, false);
    PublishTables(stream, insert_only, true);
}

void RequirePublication(const std::string& publication) {
    pg::SpiScope spi;
    const pg::Rows owned =
        spi.Execute("SELECT pg_has_role(pubowner, 'USAGE') FROM pg_publication WHERE pubname = $1",
                    {pg::Param::Name(publication)});
    if (owned.empty()) {
        pg::Throw("42704", "publication \"" + publication + "\" does not exist", {},
                  "CREATE PUBLICATION first, or pass tables => ARRAY[...]::regclass[].");
    }
    if (!owned.Bool(0, 1)) {
        pg::Throw("42501", "must be owner of publication \"" + publication + "\"");
    }
}

void RequireOneOf(const std::string& what, const std::string& value,
                  const std::set<std::string>& known) {
    if (known.count(value) == 0) {
        pg::Throw("22023", "unknown " + what + " \"" + value + "\"", {},
                  core::NearestHint(value, known, "values"));
    }
}

std::int32_t InsertStream(const NewStream& request, const std::vector<std::string>& publications,
                          bool own_publications) {
    const core::Oid owner = GetUserId();
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    if (!spi.Execute("SELECT 1 FROM bitvelocity.stream WHERE stream_name = $1",
                     {pg::Param::Text(request.name)})
             .empty()) {
        pg::Throw("42710", "stream \"" + request.name + "\" already exists", {},
                  "alter_stream adds tables to it; drop_stream removes it.");
    }
    const pg::Rows row = spi.Execute(
        "INSERT INTO bitvelocity.stream (stream_name, owner, sink, format, publications, "
        "own_publications, snapshot, options, slot_name, system_identifier, database_oid, "
        "catalog_oid) VALUES ($1, $2, $3, "
        "$4, "
        "$5::text[], $6, $7, $8::jsonb, $9, (SELECT system_identifier::text FROM "
        "pg_control_system()), $10, 'bitvelocity.stream'::regclass) RETURNING stream_id",
        {pg::Param::Text(request.name), pg::Param::OidValue(owner), pg::Param::Text(request.sink),
         pg::Param::Text(request.format), pg::Param::Text(TextArray(publications)),
         pg::Param::Bool(own_publications), pg::Param::Bool(request.snapshot),
         pg::Param::Text(request.options_json), pg::Param::Text(NewSlotName(request.name)),
         pg::Param::OidValue(MyDatabaseId)});
    return static_cast<std::int32_t>(row.Int(0, 1));
}

void LockDefinitions() {
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    spi.Execute("LOCK TABLE bitvelocity.stream IN SHARE ROW EXCLUSIVE MODE");
}

}  // namespace

void CreateStream(const NewStream& request) {
    // What is wrong with the request first: it is the same wherever it is sent.
    ValidateName(request.name);
    RequireOneOf("on_missing_key", request.on_missing_key, {"error", "full", "insert_only"});
    pg::ThrowIfError(
        pipeline::ValidateStreamOptions(request.sink, request.format, request.options_json));
    if (request.tables.empty() == !request.publication.has_value()) {
        pg::Throw(
            "22023", "exactly one of tables and publication has to be given", {},
            "tables => ARRAY['orders']::regclass[] makes a publication for them; publication => "
            "'name' uses one of yours.");
    }
    if (request.publication) {
        RequirePublication(*request.publication);
    }
    for (const core::Oid table : request.tables) {
        RequirePublishable(table);
    }
    RequireLogicalWal();
    RequireEncoding(request.sink);
    LockDefinitions();
    std::vector<core::Oid> tables = request.tables;
    std::vector<std::string> publications;
    if (request.publication) {
        tables = TablesOfPublication(*request.publication);
        publications = {*request.publication};
    } else {
        Publish(request.name, tables, request.on_missing_key);
        publications = PublicationsOf(request.name);
    }
    const std::int32_t id = InsertStream(request, publications, !request.publication.has_value());
    for (const core::Oid table : tables) {
        const core::Oid bronze =
            request.sink == kEmbedded ? trail::CreateBronzeTable(table) : InvalidOid;
        AddTable(id, table, bronze, request.snapshot);
    }
    ApplyShaping(id);
    worker::CatalogChanged();
}

core::Oid CreateBronze(core::Oid source, const std::string& target,
                       const std::string& on_missing_key) {
    RequireOneOf("on_missing_key", on_missing_key, {"error", "full", "insert_only"});
    RequirePublishable(source);
    RequireLogicalWal();
    RequireEncoding(kEmbedded);
    LockDefinitions();
    std::int32_t id = 0;
    bool snapshot = true;
    {
        pg::CatalogScope as_extension;
        pg::SpiScope spi;
        const pg::Rows rows =
            spi.Execute("SELECT stream_id, snapshot FROM bitvelocity.stream WHERE stream_name = $1",
                        {pg::Param::Text(kEmbedded)});
        if (!rows.empty()) {
            id = static_cast<std::int32_t>(rows.Int(0, 1));
            snapshot = rows.Bool(0, 2);
        }
    }
    if (id != 0 && HasTable(id, source)) {
        pg::Throw("42710", "table " + pg::QualifiedName(source) + " has a bronze table already", {},
                  "SELECT bronze FROM bitvelocity.stream_table tells its name.");
    }
    Publish(kEmbedded, {source}, on_missing_key);
    const core::Oid bronze = trail::CreateBronzeTable(source, target);
    if (id == 0) {
        NewStream request;
        request.name = kEmbedded;
        request.sink = kEmbedded;
        request.format = "event";
        request.options_json = "{}";
        id = InsertStream(request, PublicationsOf(kEmbedded), true);
    }
    AddTable(id, source, bronze, snapshot);
    Changed(id);
    return bronze;
}

void AlterStream(const std::string& name, const std::vector<core::Oid>& add_tables,
                 const std::vector<core::Oid>& drop_tables,
                 const std::optional<std::string>& options_json) {
    const StreamRow stream = LockStream(name);
    if ((!add_tables.empty() || !drop_tables.empty()) && !stream.own_publications) {
        pg::Throw("55000", "stream \"" + name + "\" uses a publication of yours",
                  "Its tables are those of the publication.",
                  "Use ALTER PUBLICATION ... ADD TABLE / DROP TABLE.");
    }
    for (const core::Oid table : add_tables) {
        if (HasTable(stream.id, table)) {
            pg::Throw("42710", "table " + pg::QualifiedName(table) + " is already in stream \"" +
                                   name + "\"");
        }
    }
    Publish(name, add_tables, "error");
    for (const core::Oid table : add_tables) {
        AddTable(stream.id, table,
                 stream.sink == kEmbedded ? trail::CreateBronzeTable(table) : InvalidOid, true);
    }
    for (const core::Oid table : drop_tables) {
        if (!HasTable(stream.id, table)) {
            pg::Throw("42704",
                      "table " + pg::QualifiedName(table) + " is not in stream \"" + name + "\"");
        }
        pg::RequireOwner(table);
        UnpublishTable(name, table);
        pg::CatalogScope as_extension;
        pg::SpiScope spi;
        ForgetSnapshots(stream.id, table);
        spi.Execute("DELETE FROM bitvelocity.stream_table WHERE stream_id = $1 AND relation = $2",
                    {pg::Param::Int(stream.id), pg::Param::OidValue(table)});
    }
    {
        pg::CatalogScope as_extension;
        pg::SpiScope spi;
        if (options_json) {
            pg::ThrowIfError(
                pipeline::ValidateStreamOptions(stream.sink, stream.format, *options_json));
            spi.Execute("UPDATE bitvelocity.stream SET options = $2::jsonb WHERE stream_id = $1",
                        {pg::Param::Int(stream.id), pg::Param::Text(*options_json)});
        }
    }
    ApplyShaping(stream.id);
    Changed(stream.id);
}

bool IsPublishedTo(std::int32_t stream_id, core::Oid table) {
    std::vector<std::string> publications;
    {
        pg::CatalogScope as_extension;
        pg::SpiScope spi;
        const pg::Rows rows =
            spi.Execute("SELECT unnest(publications) FROM bitvelocity.stream WHERE stream_id = $1",
                        {pg::Param::Int(stream_id)});
        for (std::size_t i = 0; i < rows.size(); ++i) {
            publications.push_back(rows.Text(i, 1).value_or(""));
        }
    }
    return std::any_of(publications.begin(), publications.end(), [table](const std::string& name) {
        const std::vector<core::Oid> tables = TablesOfPublication(name);
        return std::find(tables.begin(), tables.end(), table) != tables.end();
    });
}

void JoinTable(std::int32_t stream_id, core::Oid table) {
    bool snapshot = true;
    {
        pg::CatalogScope as_extension;
        pg::SpiScope spi;
        const pg::Rows rows =
            spi.Execute("SELECT snapshot FROM bitvelocity.stream WHERE stream_id = $1",
                        {pg::Param::Int(stream_id)});
        snapshot = !rows.empty() && rows.Bool(0, 1);
    }
    AddTable(stream_id, table, trail::CreateBronzeTable(table), snapshot);
    Changed(stream_id);
}

void PauseStream(const std::string& name, bool paused) {
    const StreamRow stream = LockStream(name);
    {
        pg::CatalogScope as_extension;
        pg::SpiScope spi;
        spi.Execute("UPDATE bitvelocity.stream SET paused = $2 WHERE stream_id = $1",
                    {pg::Param::Int(stream.id), pg::Param::Bool(paused)});
    }
    worker::CatalogChanged();
}

void DropStream(const std::string& name) {
    const StreamRow stream = LockStream(name);
    if (stream.own_publications) {
        DropPublications(name);
    }
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    spi.Execute("DELETE FROM bitvelocity.stream WHERE stream_id = $1", {pg::Param::Int(stream.id)});
    UpdateEventTriggers();
    worker::CatalogChanged();
}

void ResyncStream(const std::string& name, const std::vector<core::Oid>& tables) {
    RequireLogicalWal();
    const StreamRow stream = LockStream(name);
    if (!stream.home) {
        pg::Throw("55000", "stream \"" + name + "\" needs adoption",
                  "Its definition came from another cluster or database.",
                  "If this is production now, run SELECT bitvelocity.adopt_streams().");
    }
    for (const core::Oid table : tables) {
        if (!HasTable(stream.id, table)) {
            pg::Throw("42704",
                      "table " + pg::QualifiedName(table) + " is not in stream \"" + name + "\"",
                      {}, "SELECT relation FROM bitvelocity.stream_table lists its tables.");
        }
    }
    {
        pg::CatalogScope as_extension;
        pg::SpiScope spi;
        if (tables.empty()) {
            ForgetSnapshots(stream.id, 0);
            spi.Execute(
                "UPDATE bitvelocity.stream_table SET existing_rows = 'pending' WHERE stream_id = "
                "$1",
                {pg::Param::Int(stream.id)});
        }
        for (const core::Oid table : tables) {
            ForgetSnapshots(stream.id, table);
            spi.Execute(
                "UPDATE bitvelocity.stream_table SET existing_rows = 'pending' WHERE stream_id = "
                "$1 AND relation = $2",
                {pg::Param::Int(stream.id), pg::Param::OidValue(table)});
        }
        if (tables.empty() || stream.phase == "needs_resync") {
            // A new slot, a new epoch: what is delivered now is newer than everything before.
            spi.Execute(
                "UPDATE bitvelocity.stream SET phase = 'starting', phase_reason = NULL, slot_name "
                "= $2, epoch = epoch + 1 WHERE stream_id = $1",
                {pg::Param::Int(stream.id), pg::Param::Text(NewSlotName(name))});
        }
    }
    ApplyShaping(stream.id);
    Changed(stream.id);
}

namespace {

void RequireInStream(const StreamRow& stream, const std::string& name, core::Oid table) {
    if (!HasTable(stream.id, table)) {
        pg::Throw("42704",
                  "table " + pg::QualifiedName(table) + " is not in stream \"" + name + "\"", {},
                  "SELECT relation FROM bitvelocity.stream_table lists its tables.");
    }
}

// One boolean expression over the table's row, analyzed as it will be evaluated.
void RequireCondition(core::Oid table, const std::string& filter) {
    pg::RequireOwner(table);
    const pg::OwnerScope as_owner(pg::OwnerOf(table));
    // The line feed ends a comment inside the text.
    const std::string sql = "SELECT (" + filter + "\n) FROM " + pg::QualifiedName(table);
    const bool good = pg::Call([text = sql.c_str()]() {
        const List* parsed = pg::ParseText(text);
        if (list_length(parsed) != 1 || !IsA(linitial_node(RawStmt, parsed)->stmt, SelectStmt)) {
            return false;
        }
        const auto* select = reinterpret_cast<SelectStmt*>(linitial_node(RawStmt, parsed)->stmt);
        if (list_length(select->targetList) != 1 || list_length(select->fromClause) != 1 ||
            select->whereClause != nullptr || select->op != SETOP_NONE) {
            return false;
        }
        const Query* query = pg::AnalyzeText(linitial_node(RawStmt, parsed), text);
        return !query->hasTargetSRFs && !query->hasAggs && !query->hasWindowFuncs &&
               exprType(reinterpret_cast<Node*>(
                   linitial_node(TargetEntry, query->targetList)->expr)) == BOOLOID;
    });
    if (!good) {
        pg::Throw(core::kInvalidParameter, "filter must be one boolean expression over a row",
                  "It is: " + filter);
    }
}

}  // namespace

void SnapshotStream(const std::string& name, const std::vector<core::Oid>& tables,
                    const std::optional<std::string>& filter) {
    const StreamRow stream = LockStream(name);
    std::vector<core::Oid> wanted = tables;
    for (const core::Oid table : wanted) {
        RequireInStream(stream, name, table);
    }
    if (wanted.empty()) {
        pg::CatalogScope as_extension;
        pg::SpiScope spi;
        const pg::Rows rows = spi.Execute(
            "SELECT relation FROM bitvelocity.stream_table WHERE stream_id = $1 AND EXISTS (SELECT "
            "FROM pg_class WHERE oid = relation) ORDER BY relation",
            {pg::Param::Int(stream.id)});
        for (std::size_t i = 0; i < rows.size(); ++i) {
            wanted.push_back(rows.OidValue(i, 1));
        }
    }
    RequireLogicalWal();
    if (stream.phase == "needs_resync" || !stream.home) {
        pg::Throw("55000", "stream \"" + name + "\" is not in a state to read rows",
                  stream.home ? "Its slot was lost." : "Its definition came from elsewhere.",
                  stream.home ? "resync_stream sends every row again."
                              : "adopt_streams says that this is production now.");
    }
    for (const core::Oid table : wanted) {
        if (filter) {
            RequireCondition(table, *filter);
        }
    }
    {
        pg::CatalogScope as_extension;
        pg::SpiScope spi;
        for (const core::Oid table : wanted) {
            spi.Execute(
                "INSERT INTO bitvelocity.stream_snapshot (stream_id, relation, filter) VALUES "
                "($1, $2, $3)",
                {pg::Param::Int(stream.id), pg::Param::OidValue(table), pg::Param::Text(filter)});
        }
    }
    Changed(stream.id);
}

std::int64_t RedriveDeadLetters(const std::string& name, std::uintptr_t ids, bool all) {
    const StreamRow stream = LockStream(name);
    if (stream.sink == "kafka" && !stream.survives) {
        pg::Throw("55000", "stream \"" + name + "\" stops at what the broker refuses",
                  "A letter that is refused again would stop it.",
                  "Pass options with \"on_error\": \"dead_letter\" to alter_stream.");
    }
    return RequestRedrive(stream.id, name, ids, all);
}

std::int32_t AdoptStreams(bool existing_rows) {
    RequireLogicalWal();
    LockDefinitions();
    pg::CatalogScope as_extension;
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT s.stream_id, s.stream_name, (SELECT string_agg(quote_ident(p), ', ') FROM "
        "unnest(s.publications) p WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = "
        "p)) FROM bitvelocity.stream s WHERE NOT bitvelocity.stream_is_home(s.system_identifier, "
        "s.database_oid, s.catalog_oid) ORDER BY s.stream_id");
    struct Found {
        std::int32_t id;
        std::string name;
    };
    std::vector<Found> streams;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::string name = rows.Text(i, 2).value_or("");
        if (const auto missing = rows.Text(i, 3)) {
            pg::Throw("42704",
                      "publication " + *missing + " of stream \"" + name + "\" does not exist",
                      "A dump without publications was restored.",
                      "CREATE PUBLICATION anew, or drop the stream with drop_stream.");
        }
        streams.push_back({static_cast<std::int32_t>(rows.Int(i, 1)), name});
    }
    for (const Found& stream : streams) {
        spi.Execute(
            "UPDATE bitvelocity.stream SET phase = 'starting', phase_reason = NULL, slot_name = "
            "$2, epoch = epoch + 1, version = version + 1, system_identifier = (SELECT "
            "system_identifier::text FROM pg_control_system()), database_oid = $3, catalog_oid = "
            "'bitvelocity.stream'::regclass WHERE stream_id = $1",
            {pg::Param::Int(stream.id), pg::Param::Text(NewSlotName(stream.name)),
             pg::Param::OidValue(MyDatabaseId)});
        // How far something was read there means nothing here.
        ForgetSnapshots(stream.id, 0);
        spi.Execute(
            "UPDATE bitvelocity.stream_table SET existing_rows = CASE WHEN $2 THEN 'pending' WHEN "
            "existing_rows = 'pending' THEN "
            "'none' ELSE existing_rows END WHERE stream_id = $1",
            {pg::Param::Int(stream.id), pg::Param::Bool(existing_rows)});
        // A restored dump has other OIDs and attribute numbers.
        ApplyShaping(stream.id);
    }
    worker::CatalogChanged();
    return static_cast<std::int32_t>(streams.size());
}

}  // namespace bitvelocity::stream
