#include "medallion/dataset.hpp"

#include <set>

#include "core/nearest.hpp"
#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

constexpr const char* kColumns =
    "SELECT d.dataset_id::bigint, d.name, d.layer, d.kind, d.target::oid, d.source_table::oid, "
    "d.owner::oid, d.definition::text, d.time_zone, "
    "coalesce((d.options->>'batch_size')::bigint, 50000), d.paused, d.position, d.highest::text, "
    "d.truncated_at::text, d.version, array_to_string(d.sources::oid[], ',') "
    "FROM bitvelocity.dataset d ";

std::vector<std::uint32_t> ParseOids(const std::string& list) {
    std::vector<std::uint32_t> oids;
    std::uint32_t current = 0;
    bool any = false;
    for (const char c : list + ",") {
        if (c == ',') {
            if (any) {
                oids.push_back(current);
            }
            current = 0;
            any = false;
        } else {
            current = current * 10 + static_cast<std::uint32_t>(c - '0');
            any = true;
        }
    }
    return oids;
}

Dataset Read(const pg::Rows& rows, std::size_t i) {
    Dataset dataset;
    dataset.id = rows.Int(i, 1);
    dataset.name = *rows.Text(i, 2);
    dataset.layer = *rows.Text(i, 3);
    dataset.kind = *rows.Text(i, 4);
    dataset.target = rows.OidValue(i, 5);
    dataset.source_table = rows.OidValue(i, 6);
    dataset.owner = rows.OidValue(i, 7);
    dataset.definition = *rows.Text(i, 8);
    dataset.time_zone = *rows.Text(i, 9);
    dataset.batch_size = rows.Int(i, 10);
    dataset.paused = rows.Bool(i, 11);
    dataset.position = rows.Int(i, 12);
    dataset.highest = rows.Text(i, 13).value_or("");
    dataset.truncated_at = rows.Text(i, 14).value_or("");
    dataset.version = static_cast<std::int32_t>(rows.Int(i, 15));
    dataset.sources = ParseOids(rows.Text(i, 16).value_or(""));
    return dataset;
}

// Enough to sort and hash a batch in memory.
constexpr int kWorkMemKb = 32 * 1024;

void Pin(const char* name, const char* value) {
    set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

}  // namespace

Dataset LoadDataset(pg::SpiScope& spi, const std::string& name) {
    const pg::CatalogScope catalog;
    const pg::Rows rows =
        spi.Execute(std::string(kColumns) + "WHERE d.name = $1", {pg::Param::Text(name)});
    if (!rows.empty()) {
        return Read(rows, 0);
    }
    const pg::Rows names = spi.Execute("SELECT name FROM bitvelocity.dataset");
    std::set<std::string> known;
    for (std::size_t i = 0; i < names.size(); ++i) {
        known.insert(*names.Text(i, 1));
    }
    pg::Throw("42704", "dataset \"" + name + "\" does not exist", {},
              core::NearestHint(name, known, "datasets"));
}

Dataset LoadDataset(pg::SpiScope& spi, std::int64_t id) {
    const pg::CatalogScope catalog;
    const pg::Rows rows =
        spi.Execute(std::string(kColumns) + "WHERE d.dataset_id = $1", {pg::Param::Bigint(id)});
    if (rows.empty()) {
        pg::Throw("42704", "the dataset does not exist any more");
    }
    return Read(rows, 0);
}

std::optional<Dataset> LockDataset(pg::SpiScope& spi, std::int64_t id) {
    const pg::CatalogScope catalog;
    // NO KEY: writers of a source log their changes with a reference to this row.
    const pg::Rows rows =
        spi.Execute(std::string(kColumns) + "WHERE d.dataset_id = $1 FOR NO KEY UPDATE",
                    {pg::Param::Bigint(id)});
    if (rows.empty()) {
        return std::nullopt;
    }
    return Read(rows, 0);
}

std::vector<Dataset> AllDatasets(pg::SpiScope& spi) {
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute(std::string(kColumns) + "ORDER BY d.dataset_id");
    std::vector<Dataset> datasets;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        datasets.push_back(Read(rows, i));
    }
    return datasets;
}

void RequireRights(const Dataset& dataset) {
    const Oid owner = dataset.owner;
    if (!pg::Call([owner]() { return has_privs_of_role(GetUserId(), owner); })) {
        pg::Throw(core::kInsufficientPrivilege, "must be owner of dataset " + dataset.name, {},
                  "Ask the dataset's owner, or SET ROLE to it.");
    }
}

DatasetScope::DatasetScope(std::uint32_t owner, const std::string& time_zone) : owner_(owner) {
    pg::Call([zone = time_zone.c_str()]() {
        Pin("TimeZone", zone);
        Pin("DateStyle", "ISO");
        Pin("IntervalStyle", "postgres");
        Pin("extra_float_digits", "3");
        Pin("bytea_output", "hex");
        Pin("jit", "off");
        if (work_mem < kWorkMemKb) {
            Pin("work_mem", "32MB");
        }
    });
}

std::string TimeZoneNow() {
    return pg::Call([]() { return GetConfigOption("TimeZone", false, false); });
}

}  // namespace bitvelocity::medallion
