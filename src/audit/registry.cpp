#include "audit/registry.hpp"

#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/spi.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::audit {

namespace {

struct Entry {
    std::shared_ptr<trail::TrailPlan> plan;
    Oid trail = InvalidOid;
    Oid root = InvalidOid;
    bool stale = false;
};

struct Plans {
    std::unordered_map<Oid, Entry> entries;
    bool registered = false;
    std::uint64_t invalidations = 0;
};

Plans& ThePlans() {
    static Plans* const plans = new Plans;  // lives as long as the process
    return *plans;
}

void Invalidate(Datum /*argument*/, Oid relation) {
    ++ThePlans().invalidations;
    for (auto& [oid, entry] : ThePlans().entries) {
        if (relation == InvalidOid || relation == oid || relation == entry.trail ||
            relation == entry.root) {
            entry.stale = true;
        }
    }
}

void InvalidateTypes(Datum /*argument*/, int /*cache*/, uint32 /*hash*/) {
    Invalidate(0, InvalidOid);
}

std::vector<int> Numbers(const std::optional<std::string>& list) {
    std::vector<int> numbers;
    if (!list) {
        return numbers;
    }
    const char* at = list->c_str();
    while (*at != '\0') {
        char* end = nullptr;
        numbers.push_back(static_cast<int>(std::strtol(at, &end, 10)));
        at = *end == ',' ? end + 1 : end;
    }
    return numbers;
}

std::string ArrayText(const std::vector<int>& numbers) {
    std::string list = "{";
    for (const int number : numbers) {
        list += (list.size() > 1 ? "," : "") + std::to_string(number);
    }
    return list + "}";
}

// An SQL expression: numbers of columns of $1 as references to them.
std::string References(const char* numbers) {
    return "ARRAY(SELECT bitvelocity.column_reference($1, n) FROM unnest(" + std::string(numbers) +
           "::int2[]) WITH ORDINALITY AS c (n, i) ORDER BY i)";
}

}  // namespace

std::optional<trail::TrailOptions> Find(std::uint32_t relation) {
    pg::CatalogScope catalog;
    pg::SpiScope spi;
    const pg::Rows found = spi.Execute(
        "SELECT trail, columns = 'changed', array_to_string(key_columns::int2[], ','), "
        "array_to_string(exclude::int2[], ','), array_to_string(redact::int2[], ',') "
        "FROM bitvelocity.audit_table WHERE relation = $1",
        {pg::Param::OidValue(relation)});
    if (found.empty()) {
        return std::nullopt;
    }
    trail::TrailOptions options;
    options.relation = relation;
    options.trail = found.OidValue(0, 1);
    options.changed_only = found.Bool(0, 2);
    options.keys = Numbers(found.Text(0, 3));
    options.exclude = Numbers(found.Text(0, 4));
    options.redact = Numbers(found.Text(0, 5));
    const pg::Rows names = spi.Execute(
        "SELECT n::text FROM bitvelocity.audit_table, unnest(key_names) WITH ORDINALITY AS k (n, "
        "i) "
        "WHERE relation = $1 ORDER BY i",
        {pg::Param::OidValue(relation)});
    for (std::size_t i = 0; i < names.size(); ++i) {
        options.key_names.push_back(*names.Text(i, 1));
    }
    return options;
}

void Add(const trail::TrailOptions& options, std::string_view mode) {
    std::string names = "{";
    for (const std::string& name : options.key_names) {
        std::string escaped;
        for (const char c : name) {
            escaped += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
        }
        names += (names.size() > 1 ? ",\"" : "\"") + escaped + "\"";
    }
    names += "}";
    pg::CatalogScope catalog;
    pg::SpiScope spi;
    // A table that was dropped may have left its trail to its successor.
    spi.Execute(
        "DELETE FROM bitvelocity.audit_table WHERE relation = $1 OR NOT EXISTS (SELECT FROM "
        "pg_class c WHERE c.oid = relation)",
        {pg::Param::OidValue(options.relation)});
    // One that was renamed may have left its trail's name behind.
    const pg::Rows taken =
        spi.Execute("SELECT relation::oid FROM bitvelocity.audit_table WHERE trail = $1::regclass",
                    {pg::Param::OidValue(options.trail)});
    if (!taken.empty()) {
        pg::Throw("42710",
                  "table " + pg::QualifiedName(options.trail) + " is the trail of table " +
                      pg::QualifiedName(taken.OidValue(0, 1)),
                  {}, "Rename it, then enable the audit again.");
    }
    spi.Execute(
        "INSERT INTO bitvelocity.audit_table (relation, trail, mode, columns, key_columns, "
        "key_names, exclude, redact) VALUES ($1, $2, $3, $4, " +
            References("$5") + ", $6::name[], " + References("$7") + ", " + References("$8") + ")",
        {pg::Param::OidValue(options.relation), pg::Param::OidValue(options.trail),
         pg::Param::Text(mode),
         pg::Param::Text(std::string_view(options.changed_only ? "changed" : "all")),
         pg::Param::Text(std::string_view(ArrayText(options.keys))),
         pg::Param::Text(std::string_view(names)),
         pg::Param::Text(std::string_view(ArrayText(options.exclude))),
         pg::Param::Text(std::string_view(ArrayText(options.redact)))});
}

void Remove(std::uint32_t relation) {
    {
        pg::CatalogScope catalog;
        pg::SpiScope spi;
        spi.Execute("DELETE FROM bitvelocity.audit_table WHERE relation = $1",
                    {pg::Param::OidValue(relation)});
    }
    pg::Call([relation]() { CacheInvalidateRelcacheByRelid(relation); });
}

std::shared_ptr<trail::TrailPlan> PlanOf(RelationData* relation) {
    Plans& plans = ThePlans();
    if (!plans.registered) {
        pg::Call([]() {
            CacheRegisterRelcacheCallback(Invalidate, 0);
            CacheRegisterSyscacheCallback(TYPEOID, InvalidateTypes, 0);
        });
        plans.registered = true;
    }
    const Oid oid = RelationGetRelid(relation);
    if (const auto found = plans.entries.find(oid); found != plans.entries.end()) {
        if (!found->second.stale) {
            return found->second.plan;
        }
        plans.entries.erase(found);
    }
    const std::uint64_t invalidations = plans.invalidations;
    std::vector<Oid> candidates{oid};
    if (relation->rd_rel->relispartition) {
        const List* ancestors = pg::Call([oid]() { return get_partition_ancestors(oid); });
        for (int i = 0; i < list_length(ancestors); ++i) {
            candidates.push_back(list_nth_oid(ancestors, i));
        }
    }
    for (const Oid candidate : candidates) {
        if (const auto options = Find(candidate)) {
            Entry entry;
            entry.plan = std::make_shared<trail::TrailPlan>(*options, relation);
            entry.trail = options->trail;
            entry.root = candidate;
            // What changed while it was built may be missing: good for this row, not for the next.
            entry.stale = plans.invalidations != invalidations;
            return plans.entries.emplace(oid, std::move(entry)).first->second.plan;
        }
    }
    pg::Throw(core::kObjectNotInPrerequisiteState,
              "table " + pg::QualifiedName(oid) + " is not audited",
              "The trigger belongs to bitvelocity.enable_audit(), which did not make it.",
              "Drop the trigger, then run bitvelocity.enable_audit() on the table.");
}

}  // namespace bitvelocity::audit
