#include "medallion/rollup.hpp"

#include "medallion/aggregation.hpp"
#include "medallion/arguments.hpp"
#include "medallion/events.hpp"
#include "medallion/model/rollup_shape.hpp"
#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

namespace {

struct Touched {
    bool all = false;
    std::string groups;  // JSON array of groups, empty: none
    std::int64_t count = 0;
};

// Takes what was logged up to now out of the log: what a later statement logs stays for the next
// time, and the recomputation below reads a snapshot that is not older than this one.
Touched TakeTouched(pg::SpiScope& spi, const Dataset& dataset) {
    const pg::CatalogScope catalog;
    const pg::Rows rows = spi.Execute(
        "WITH taken AS (DELETE FROM bitvelocity.rollup_change WHERE dataset_id = $1 "
        "RETURNING groups) SELECT coalesce(bool_or(groups IS NULL), false), "
        "(jsonb_agg(DISTINCT groups) FILTER (WHERE groups IS NOT NULL))::text, "
        "count(DISTINCT groups) FROM taken",
        {pg::Param::Bigint(dataset.id)});
    return {rows.Bool(0, 1), rows.Text(0, 2).value_or(""), rows.Int(0, 3)};
}

void RecomputeAll(pg::SpiScope& spi, const Dataset& dataset, const RollupShape& shape,
                  const std::string& query, Progress& progress) {
    const DatasetScope owner(dataset.owner, dataset.time_zone);
    const std::string target = pg::QualifiedName(dataset.target);
    progress.removed += static_cast<std::int64_t>(spi.Execute("DELETE FROM " + target).processed());
    progress.put +=
        static_cast<std::int64_t>(spi.Execute(FillSql(shape, target, query)).processed());
}

void RecomputeGroups(pg::SpiScope& spi, const Dataset& dataset, const RollupShape& shape,
                     const std::string& query, const std::string& groups, Progress& progress) {
    const DatasetScope owner(dataset.owner, dataset.time_zone);
    const pg::Rows patterns = spi.Execute(PatternSql(shape), {pg::Param::Jsonb(groups)});
    const std::string target = pg::QualifiedName(dataset.target);
    for (std::size_t i = 0; i < patterns.size(); ++i) {
        const NullPattern nulls = *patterns.Text(i, 1);
        const std::string restricted = Restrict(query, GroupCondition(shape, nulls));
        const pg::Rows done = spi.Execute(RecomputeSql(shape, target, restricted, nulls),
                                          {pg::Param::Jsonb(*patterns.Text(i, 2))});
        progress.put += done.Int(0, 1);
        progress.removed += done.Int(0, 2);
    }
}

}  // namespace

void RefreshRollup(pg::SpiScope& spi, Dataset& dataset, Progress& progress) {
    const Touched touched = TakeTouched(spi, dataset);
    if (!touched.all && touched.groups.empty()) {
        return;
    }
    const RollupShape shape = pg::ValueOrThrow(RollupShapeFromJson(dataset.definition));
    std::string query;
    {
        const pg::CatalogScope catalog;
        query = *spi.Execute("SELECT query FROM bitvelocity.dataset WHERE dataset_id = $1",
                             {pg::Param::Bigint(dataset.id)})
                     .Text(0, 1);
    }
    if (touched.all || !shape.incremental) {
        RecomputeAll(spi, dataset, shape, query, progress);
    } else {
        RecomputeGroups(spi, dataset, shape, query, touched.groups, progress);
    }
    progress.read += touched.count;
    const pg::CatalogScope catalog;
    spi.Execute(
        "UPDATE bitvelocity.dataset SET last_refresh = clock_timestamp(), "
        "last_error = NULL, last_error_at = NULL WHERE dataset_id = $1",
        {pg::Param::Bigint(dataset.id)});
    TableChanged(dataset.target);
}

void TouchAll(pg::SpiScope& spi, const Dataset& dataset) {
    const pg::CatalogScope catalog;
    spi.Execute("INSERT INTO bitvelocity.rollup_change (dataset_id) VALUES ($1)",
                {pg::Param::Bigint(dataset.id)});
}

}  // namespace bitvelocity::medallion
