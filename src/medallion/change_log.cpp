// The change log of rollups: statement triggers on their sources write down which groups a
// statement touched, old and new, in the writer's transaction. Runs in every backend that writes a
// source.

#include "medallion/arguments.hpp"
#include "medallion/dataset.hpp"
#include "medallion/events.hpp"
#include "medallion/model/rollup_shape.hpp"
#include "medallion/rollup.hpp"
#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

struct Follower {
    std::int64_t id = 0;
    Oid owner = 0;
    std::string time_zone;
    RollupShape shape;
};

std::vector<Follower> FollowersOf(pg::SpiScope& spi, Oid relation) {
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute(
        "SELECT dataset_id::bigint, owner, time_zone, definition::text FROM bitvelocity.dataset "
        "WHERE kind = 'rollup' AND $1::regclass = ANY (sources) ORDER BY dataset_id",
        {pg::Param::OidValue(relation)});
    std::vector<Follower> followers;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        followers.push_back({rows.Int(i, 1), rows.OidValue(i, 2), *rows.Text(i, 3),
                             pg::ValueOrThrow(RollupShapeFromJson(*rows.Text(i, 4)))});
    }
    return followers;
}

// The transition tables this statement brings.
std::vector<std::string> ChangedRows(TriggerEvent event) {
    if (TRIGGER_FIRED_BY_INSERT(event)) {
        return {"new_rows"};
    }
    if (TRIGGER_FIRED_BY_DELETE(event)) {
        return {"old_rows"};
    }
    if (TRIGGER_FIRED_BY_UPDATE(event)) {
        return {"old_rows", "new_rows"};
    }
    return {};
}

bool AnyRow(pg::SpiScope& spi, const std::vector<std::string>& rows) {
    for (const std::string& table : rows) {
        if (!spi.Execute("SELECT FROM " + table + " LIMIT 1").empty()) {
            return true;
        }
    }
    return false;
}

void LogGroups(pg::SpiScope& spi, const Follower& follower, const std::vector<std::string>& rows) {
    std::optional<std::string> groups;
    {
        const DatasetScope owner(follower.owner, follower.time_zone);
        groups = spi.Execute("SELECT jsonb_agg(g)::text FROM (" + TouchedSql(follower.shape, rows) +
                             ") t(g)")
                     .Text(0, 1);
    }
    if (!groups) {
        return;
    }
    const pg::CatalogScope catalog;
    spi.Execute(
        "INSERT INTO bitvelocity.rollup_change (dataset_id, groups) "
        "SELECT $1, g FROM jsonb_array_elements($2) AS e(g)",
        {pg::Param::Bigint(follower.id), pg::Param::Jsonb(*groups)});
}

void LogAll(pg::SpiScope& spi, std::int64_t dataset) {
    const pg::CatalogScope catalog;
    spi.Execute("INSERT INTO bitvelocity.rollup_change (dataset_id) VALUES ($1)",
                {pg::Param::Bigint(dataset)});
}

constexpr const char* kTriggers[][2] = {
    {"bitvelocity_track_insert", "AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows"},
    {"bitvelocity_track_update",
     "AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"},
    {"bitvelocity_track_delete", "AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows"},
    {"bitvelocity_track_truncate", "AFTER TRUNCATE ON %s"},
};

bool HasTrigger(pg::SpiScope& spi, Oid relation, const char* name) {
    return !spi.Execute("SELECT FROM pg_trigger WHERE tgrelid = $1 AND tgname = $2",
                        {pg::Param::OidValue(relation), pg::Param::Name(name)})
                .empty();
}

}  // namespace

void TrackChanges(pg::SpiScope& spi, std::uint32_t relation) {
    const pg::OwnerScope owner(pg::OwnerOf(relation));
    for (const auto& trigger : kTriggers) {
        if (HasTrigger(spi, relation, trigger[0])) {
            continue;
        }
        std::string event = trigger[1];
        event.replace(event.find("%s"), 2, pg::QualifiedName(relation));
        // ENABLE ALWAYS: a replica's apply worker changes the table like anybody else.
        spi.Execute("CREATE TRIGGER " + std::string(trigger[0]) + " " + event +
                    " FOR EACH STATEMENT EXECUTE FUNCTION bitvelocity.track_changes()");
        spi.Execute("ALTER TABLE " + pg::QualifiedName(relation) + " ENABLE ALWAYS TRIGGER " +
                    trigger[0]);
    }
}

void UntrackChanges(pg::SpiScope& spi, std::uint32_t relation) {
    const bool exists = pg::Call(
        [relation]() { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)); });
    if (!exists || !FollowersOf(spi, relation).empty()) {
        return;
    }
    const pg::OwnerScope owner(pg::OwnerOf(relation));
    for (const auto& trigger : kTriggers) {
        spi.Execute("DROP TRIGGER IF EXISTS " + std::string(trigger[0]) + " ON " +
                    pg::QualifiedName(relation));
    }
}

BV_FUNCTION(bitvelocity_track_changes) {
    if (!CALLED_AS_TRIGGER(fcinfo)) {
        pg::Throw("39P01", "track_changes was not called by a trigger");
    }
    auto* data = reinterpret_cast<TriggerData*>(fcinfo->context);
    const Oid relation = RelationGetRelid(data->tg_relation);
    pg::SpiScope spi;
    pg::Call([data]() {
        if (SPI_register_trigger_data(data) != SPI_OK_TD_REGISTER) {
            elog(ERROR, "could not read the changed rows");
        }
    });
    const std::vector<std::string> rows = ChangedRows(data->tg_event);
    const bool truncated = TRIGGER_FIRED_BY_TRUNCATE(data->tg_event);
    const std::vector<Follower> followers = FollowersOf(spi, relation);
    if (followers.empty() || (!truncated && !AnyRow(spi, rows))) {
        return PointerGetDatum(nullptr);
    }
    for (const Follower& follower : followers) {
        if (truncated || !follower.shape.incremental) {
            LogAll(spi, follower.id);
        } else {
            LogGroups(spi, follower, rows);
        }
    }
    TableChanged(relation);
    return PointerGetDatum(nullptr);
}

}  // namespace bitvelocity::medallion
