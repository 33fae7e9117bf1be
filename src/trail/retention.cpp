#include "trail/retention.hpp"

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::trail {

void SetRetention(std::uint32_t relation, std::uintptr_t interval) {
    pg::CatalogScope catalog;
    pg::SpiScope spi;
    const pg::Param retention = pg::Param::Raw(INTERVALOID, interval, false);
    if (!spi.Execute("SELECT $1 > '0'::interval", {retention}).Bool(0, 1)) {
        pg::Throw(core::kInvalidParameter, "retention must be positive");
    }
    const pg::Rows kept =
        spi.Execute("UPDATE bitvelocity.partition_set SET retention = $2 WHERE relation = $1",
                    {pg::Param::OidValue(relation), retention});
    if (kept.processed() == 0) {
        pg::Throw(core::kFeatureNotSupported,
                  "retention needs " + pg::QualifiedName(relation) + " to be partitioned",
                  "Trails and bronze tables are partitioned by month where pg_partman is installed "
                  "when they are made.",
                  "Install the package postgresql-" + std::to_string(PG_VERSION_NUM / 10000) +
                      "-partman and run CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA "
                      "partman; then make the table anew.");
    }
}

}  // namespace bitvelocity::trail
