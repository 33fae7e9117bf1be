// grant_admin(role): what only an administrator may do, given to a role. Runs in a backend as the
// caller, who needs the right to grant (the owner of the extension has it).

#include "pg/boundary.hpp"
#include "pg/spi.hpp"

#include "pg/postgres.hpp"

namespace {

// Functions of the extension that PUBLIC may not run, but for what must stay with the owner:
// granting, and the trigger functions, which nobody calls.
constexpr const char* kFunctions = R"(
SELECT pg_catalog.format('GRANT EXECUTE ON %s %s TO ', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
                         p.oid::pg_catalog.regprocedure)
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'bitvelocity'
WHERE p.prokind IN ('f', 'p', 'w') AND p.prorettype <> 'pg_catalog.trigger'::pg_catalog.regtype
  AND p.prorettype <> 'pg_catalog.event_trigger'::pg_catalog.regtype
  AND p.proname <> 'grant_admin'
  AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
                  WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE')
ORDER BY p.oid)";

constexpr const char* kRelations = R"(
SELECT pg_catalog.format('GRANT SELECT ON %s TO ', c.oid::pg_catalog.regclass)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'bitvelocity'
WHERE c.relkind IN ('r', 'p', 'v')
  -- rows of tables that the role may have no right to
  AND c.relname <> 'dead_letter'
ORDER BY c.oid)";

}  // namespace

BV_FUNCTION(bitvelocity_grant_admin) {
    using namespace bitvelocity;
    const Oid role = PG_GETARG_OID(0);
    const char* name = pg::Call([role]() { return GetUserNameFromId(role, false); });
    const std::string grantee = pg::QuoteIdentifier(name);
    pg::SpiScope spi;
    spi.Execute("GRANT USAGE ON SCHEMA bitvelocity TO " + grantee);
    for (const char* query : {kFunctions, kRelations}) {
        std::vector<std::string> grants;
        {
            const pg::Rows rows = spi.Execute(query);
            for (std::size_t i = 0; i < rows.size(); ++i) {
                grants.push_back(*rows.Text(i, 1) + grantee);
            }
        }
        for (const std::string& grant : grants) {
            spi.Execute(grant);
        }
    }
    PG_RETURN_VOID();
}
