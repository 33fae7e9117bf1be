#include "partition/maintenance.hpp"

#include "partition/partman.hpp"
#include "pg/boundary.hpp"
#include "pg/month_partition.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::partition {

namespace {

constexpr std::int64_t kEveryUs = 3'600'000'000;
constexpr std::int64_t kTimeoutUs = 600'000'000;

struct Set {
    std::uint32_t relation = 0;
    int premake = 0;
    std::optional<std::string> retention;
    bool partman = false;
    bool exists = false;
};

std::optional<Set> Read(std::int64_t id) {
    pg::CatalogScope catalog;
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT s.relation, s.premake, s.retention::text, s.managed_by = 'pg_partman', "
        "c.oid IS NOT NULL FROM bitvelocity.partition_set s LEFT JOIN pg_class c ON c.oid = "
        "s.relation WHERE s.partition_set_id = $1",
        {pg::Param::Bigint(id)});
    if (rows.empty()) {
        return std::nullopt;
    }
    return Set{rows.OidValue(0, 1), static_cast<int>(rows.Int(0, 2)), rows.Text(0, 3),
               rows.Bool(0, 4), rows.Bool(0, 5)};
}

void Forget(std::int64_t id) {
    pg::CatalogScope catalog;
    pg::SpiScope spi;
    spi.Execute("DELETE FROM bitvelocity.partition_set WHERE partition_set_id = $1",
                {pg::Param::Bigint(id)});
}

void Record(std::int64_t id, const std::optional<std::string>& error) {
    pg::TransactionScope transaction;
    {
        pg::CatalogScope catalog;
        pg::SpiScope spi;
        spi.Execute(
            "UPDATE bitvelocity.partition_set SET last_run = now(), last_error = $2 WHERE "
            "partition_set_id = $1",
            {pg::Param::Bigint(id), pg::Param::Text(error)});
    }
    transaction.Commit();
}

// Months of our own tables that end before now - retention, oldest first.
std::vector<std::uint32_t> OldMonths(pg::SpiScope& spi, const Set& set) {
    const pg::Rows old = spi.Execute(
        "SELECT oid FROM (SELECT c.oid, pg_catalog.substring(pg_catalog.pg_get_expr("
        "c.relpartbound, c.oid), $3)::pg_catalog.timestamptz AS upper FROM pg_catalog.pg_inherits "
        "i "
        "JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.inhrelid WHERE i.inhparent "
        "OPERATOR(pg_catalog.=) $1) AS month WHERE upper OPERATOR(pg_catalog.<=) (pg_catalog.now() "
        "OPERATOR(pg_catalog.-) $2::pg_catalog.interval) ORDER BY upper",
        {pg::Param::OidValue(set.relation), pg::Param::Text(set.retention),
         pg::Param::Text(std::string_view("TO \\('([^']+)'\\)$"))});
    std::vector<std::uint32_t> months;
    for (std::size_t i = 0; i < old.size(); ++i) {
        months.push_back(old.OidValue(i, 1));
    }
    return months;
}

// The sequence number up to which every dataset has read a bronze table; nothing: none reads it.
std::optional<std::int64_t> ReadByAll(std::uint32_t relation) {
    pg::CatalogScope catalog;
    pg::SpiScope spi;
    const pg::Rows read = spi.Execute(
        "SELECT min(position) FROM bitvelocity.dataset WHERE kind = 'silver' AND sources[1] = $1",
        {pg::Param::OidValue(relation)});
    return read.IsNull(0, 1) ? std::nullopt : std::optional(read.Int(0, 1));
}

// A month with rows that a dataset has yet to read stays until it has, and so do those after it.
void DropOld(const Set& set) {
    pg::SpiScope spi;
    const std::vector<std::uint32_t> months = OldMonths(spi, set);
    if (months.empty()) {
        return;
    }
    // From here on nobody adds a row to them; the parent first, as DROP TABLE does.
    spi.Execute("LOCK TABLE ONLY " + pg::QualifiedName(set.relation) + " IN ACCESS EXCLUSIVE MODE");
    const std::optional<std::int64_t> read = ReadByAll(set.relation);
    for (const std::uint32_t month : months) {
        const std::string name = pg::QualifiedName(month);
        if (read && !spi.Execute("SELECT 1 FROM " + name +
                                     " WHERE sequence OPERATOR(pg_catalog.>) $1 LIMIT 1",
                                 {pg::Param::Bigint(*read)})
                         .empty()) {
            return;
        }
        spi.Execute("DROP TABLE " + name);
    }
}

void Maintain(std::int64_t id) {
    pg::TransactionScope transaction;
    const std::optional<Set> set = Read(id);
    if (set && !set->exists) {
        Forget(id);
    } else if (set) {
        pg::OwnerScope as_owner(pg::OwnerOf(set->relation));
        if (set->partman) {
            Partman().RunMaintenance(set->relation);
        } else {
            pg::PremakeMonths(set->relation, set->premake);
            if (set->retention) {
                DropOld(*set);
            }
        }
    }
    transaction.Commit();
}

}  // namespace

std::vector<core::Task> ListTasks() {
    std::vector<core::Task> tasks;
    pg::CatalogScope catalog;
    pg::SpiScope spi;
    const pg::Rows rows = spi.Execute(
        "SELECT s.partition_set_id, c.relname::text, c.relowner FROM bitvelocity.partition_set s "
        "JOIN pg_class c ON c.oid = s.relation ORDER BY 1");
    for (std::size_t i = 0; i < rows.size(); ++i) {
        core::Task task;
        task.key = {kTaskKind, rows.Int(i, 1)};
        task.name = "partitions of " + rows.Text(i, 2).value_or("");
        task.owner = rows.OidValue(i, 3);
        task.every_us = kEveryUs;
        task.timeout_us = kTimeoutUs;
        tasks.push_back(std::move(task));
    }
    return tasks;
}

void RunTask(const core::Task& task) {
    const core::Status done = pg::Catch([&]() { Maintain(task.key.id); });
    if (done.ok()) {
        Record(task.key.id, std::nullopt);
        return;
    }
    Record(task.key.id, done.error().message);
    throw pg::StatusError(done.error());
}

}  // namespace bitvelocity::partition
