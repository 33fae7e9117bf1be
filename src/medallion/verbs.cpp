// SQL verbs on existing datasets.

#include <algorithm>

#include "core/sql_text.hpp"
#include "medallion/arguments.hpp"
#include "medallion/dataset.hpp"
#include "medallion/events.hpp"
#include "medallion/model/rollup_shape.hpp"
#include "medallion/model/silver_shape.hpp"
#include "medallion/rollup.hpp"
#include "medallion/tasks.hpp"
#include "pg/boundary.hpp"
#include "pg/set_result.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

Dataset Named(pg::SpiScope& spi, FunctionCallInfo fcinfo) {
    Dataset dataset = LoadDataset(spi, RequiredText(fcinfo, 0, "name"));
    RequireRights(dataset);
    return dataset;
}

// A composite result of bigint columns, in memory that outlives SPI.
Datum Counters(FunctionCallInfo fcinfo, const std::int64_t* values, int count) {
    return pg::Call([fcinfo, values, count]() {
        TupleDesc descriptor = nullptr;
        if (get_call_result_type(fcinfo, nullptr, &descriptor) != TYPEFUNC_COMPOSITE) {
            elog(ERROR, "a row is expected");
        }
        BlessTupleDesc(descriptor);
        Datum datums[8];
        bool nulls[8] = {};
        for (int i = 0; i < count; ++i) {
            datums[i] = Int64GetDatum(values[i]);
        }
        return HeapTupleGetDatum(heap_form_tuple(descriptor, datums, nulls));
    });
}

Datum SetPaused(FunctionCallInfo fcinfo, bool paused) {
    pg::SpiScope spi;
    const Dataset dataset = Named(spi, fcinfo);
    const pg::CatalogScope catalog;
    spi.Execute("UPDATE bitvelocity.dataset SET paused = $2 WHERE dataset_id = $1",
                {pg::Param::Bigint(dataset.id), pg::Param::Bool(paused)});
    CatalogChanged();
    if (!paused) {
        TableChanged(dataset.sources.at(0));
    }
    PG_RETURN_VOID();
}

// Names of datasets that read this one's table.
std::string Readers(pg::SpiScope& spi, const Dataset& dataset) {
    const pg::CatalogScope catalog;
    return spi
        .Execute(
            "SELECT string_agg(name, ', ' ORDER BY name) FROM bitvelocity.dataset "
            "WHERE $1::regclass = ANY (sources) AND dataset_id <> $2",
            {pg::Param::OidValue(dataset.target), pg::Param::Bigint(dataset.id)})
        .Text(0, 1)
        .value_or("");
}

void DropTable(pg::SpiScope& spi, const Dataset& dataset) {
    const std::string name = pg::QualifiedName(dataset.target);
    {
        const pg::CatalogScope catalog;
        const pg::Rows made =
            spi.Execute("SELECT made_target FROM bitvelocity.dataset WHERE dataset_id = $1",
                        {pg::Param::Bigint(dataset.id)});
        if (!made.Bool(0, 1)) {
            pg::Throw(core::kObjectNotInPrerequisiteState,
                      "table " + name + " was not made by the dataset", {},
                      "Drop the dataset with keep_table => true, then the table yourself.");
        }
    }
    const pg::OwnerScope owner(dataset.owner);
    spi.Execute("DROP TABLE " + name);
}

bool Exists(std::uint32_t relation) {
    return pg::Call(
        [relation]() { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)); });
}

}  // namespace

// refresh_dataset(name, until) RETURNS (rows_read, rows_put, rows_removed, rows_quarantined)
BV_FUNCTION(bitvelocity_refresh_dataset) {
    pg::SpiScope spi;
    const Dataset dataset = Named(spi, fcinfo);
    if (dataset.paused) {
        pg::Throw(core::kObjectNotInPrerequisiteState, "dataset \"" + dataset.name + "\" is paused",
                  {},
                  "Run SELECT bitvelocity.resume_dataset(" +
                      core::QuoteText(dataset.name).substr(1) + ").");
    }
    const core::Lsn until{PG_ARGISNULL(1) ? 0 : PG_GETARG_LSN(1)};
    const Progress done = RefreshDataset(spi, dataset, until);
    const std::int64_t values[] = {done.read, done.put, done.removed, done.quarantined};
    // The row has to be built in the caller's memory.
    struct Built {
        HeapTupleHeader row;
    };
    const Built built = pg::Call([row = Counters(fcinfo, values, 4)]() {
        return Built{DatumGetHeapTupleHeader(SPI_datumTransfer(row, false, -1))};
    });
    return PointerGetDatum(built.row);
}

BV_FUNCTION(bitvelocity_pause_dataset) {
    return SetPaused(fcinfo, true);
}

BV_FUNCTION(bitvelocity_resume_dataset) {
    return SetPaused(fcinfo, false);
}

// drop_dataset(name, keep_table)
BV_FUNCTION(bitvelocity_drop_dataset) {
    pg::SpiScope spi;
    const Dataset dataset = Named(spi, fcinfo);
    const bool keep = BoolArgument(fcinfo, 1);
    const bool exists = Exists(dataset.target);
    if (const std::string readers = Readers(spi, dataset); !keep && !readers.empty()) {
        pg::Throw("2BP01", "other datasets read table " + pg::QualifiedName(dataset.target),
                  "They are: " + readers + ".", "Drop them first, or keep the table.");
    }
    {
        const pg::CatalogScope catalog;
        // By the dataset's name: its table may be renamed or gone.
        spi.Execute(
            "DELETE FROM bitvelocity.data_lineage "
            "WHERE transformation_config ->> 'dataset' = $1",
            {pg::Param::Text(dataset.name)});
    }
    if (!keep && exists) {
        DropTable(spi, dataset);
    }
    {
        const pg::CatalogScope catalog;
        spi.Execute("DELETE FROM bitvelocity.dataset WHERE dataset_id = $1",
                    {pg::Param::Bigint(dataset.id)});
    }
    if (dataset.kind == "rollup") {
        for (const std::uint32_t source : dataset.sources) {
            UntrackChanges(spi, source);
        }
    }
    CatalogChanged();
    PG_RETURN_VOID();
}

// replay_quarantine(dataset, ids) RETURNS bigint
BV_FUNCTION(bitvelocity_replay_quarantine) {
    pg::SpiScope spi;
    const Dataset named = Named(spi, fcinfo);
    if (named.kind != "silver") {
        pg::Throw("42809", "dataset \"" + named.name + "\" has no quarantine", {},
                  "Only silver datasets have one.");
    }
    std::optional<Dataset> dataset = LockDataset(spi, named.id);
    if (!dataset) {
        PG_RETURN_INT64(0);
    }
    std::optional<std::string> ids;
    if (!PG_ARGISNULL(1)) {
        ids = pg::Call([fcinfo]() {
            Oid output = InvalidOid;
            bool is_varlena = false;
            getTypeOutputInfo(INT8ARRAYOID, &output, &is_varlena);
            return OidOutputFunctionCall(output, PG_GETARG_DATUM(1));
        });
    }
    PG_RETURN_INT64(ReplayQuarantine(spi, *dataset, ids));
}

// explain_dataset(name) RETURNS SETOF (item, value)
BV_FUNCTION(bitvelocity_explain_dataset) {
    pg::BeginSet(fcinfo);
    pg::SpiScope spi;
    const Dataset dataset = Named(spi, fcinfo);
    std::string mode = "bronze rows behind the position; the last good change of each key";
    if (dataset.kind == "rollup") {
        const RollupShape shape = pg::ValueOrThrow(RollupShapeFromJson(dataset.definition));
        mode = shape.incremental ? "touched groups" : "whole result: " + shape.why_full;
    }
    const pg::CatalogScope catalog;
    pg::AppendQuery(
        fcinfo, spi,
        "SELECT item, value FROM bitvelocity.dataset d CROSS JOIN LATERAL (VALUES "
        "(1, 'layer', d.layer), (2, 'kind', d.kind), "
        "(3, 'table', bitvelocity.lineage_name(d.target)), "
        "(4, 'sources', (SELECT string_agg(bitvelocity.lineage_name(s), ', ') "
        "FROM unnest(d.sources) s)), (5, 'key', array_to_string(d.key, ', ')), "
        "(6, 'recomputes', $2), (7, 'query', btrim(d.query)), (8, 'time zone', d.time_zone)) "
        "v(n, item, value) WHERE d.dataset_id = $1 ORDER BY n",
        {pg::Param::Bigint(dataset.id), pg::Param::Text(mode)});
    return static_cast<Datum>(0);
}

// dataset_lag(dataset_id) RETURNS interval: how long the oldest change that is not in the dataset
// waits.
BV_FUNCTION(bitvelocity_dataset_lag) {
    pg::SpiScope spi;
    const Dataset dataset = LoadDataset(spi, static_cast<std::int64_t>(PG_GETARG_INT32(0)));
    if (dataset.sources.empty() || !Exists(dataset.sources.front())) {
        PG_RETURN_NULL();
    }
    std::optional<std::string> lag;
    if (dataset.kind == "rollup") {
        const pg::CatalogScope catalog;
        lag = spi.Execute(
                     "SELECT (clock_timestamp() - min(at))::text FROM bitvelocity.rollup_change "
                     "WHERE dataset_id = $1",
                     {pg::Param::Bigint(dataset.id)})
                  .Text(0, 1);
    } else {
        const DatasetScope owner(dataset.owner, dataset.time_zone);
        const pg::Rows rows =
            spi.Execute("SELECT (clock_timestamp() - event_timestamp)::text FROM " +
                            pg::QualifiedName(dataset.sources.front()) +
                            " WHERE sequence > $1 ORDER BY sequence LIMIT 1",
                        {pg::Param::Bigint(dataset.position)});
        if (!rows.empty()) {
            lag = rows.Text(0, 1);
        }
    }
    const std::string text = lag.value_or("0");
    return pg::Call([value = text.c_str()]() {
        const Datum interval = DirectFunctionCall3(interval_in, CStringGetDatum(value),
                                                   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
        return SPI_datumTransfer(interval, false, sizeof(Interval));
    });
}

}  // namespace bitvelocity::medallion
