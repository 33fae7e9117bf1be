#!/usr/bin/env bash
# reference.sh: docs/sql.md from a database that has the extension (PGHOST, PGPORT, ... as psql): every
# function, procedure, view and table with its signature and COMMENT, in the order of sql/manifest.
#
#   reference.sh           prints it, from the database that psql would connect to
#   reference.sh write     writes the page, from a private server (make reference)
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = write ]; then
    . test/check/work.sh
    trap 'work_stop_servers' EXIT
    work_begin
    use_server full
    createdb reference
    export PGDATABASE=reference
    psql -Xqc 'CREATE EXTENSION bitvelocity'
    docs/reference.sh >"$BV_WORK/sql.md"
    cp "$BV_WORK/sql.md" docs/sql.md
    exit
fi

sql() {
    psql -XAtq -v ON_ERROR_STOP=1 "$@"
}

cat <<'END'
# SQL reference

Everything in schema `bitvelocity`, from the installed extension (`make reference` writes this page). Names work unqualified with
`SET search_path = public, bitvelocity`. PUBLIC may call what is marked *public*; `grant_admin(role)` grants the rest, and making something for a table needs its ownership.

END

# One chapter: the objects that the fragments of this name make.
chapter() {
    local fragment=$1 title=$2 objects object text
    objects=$(sed -n -E 's/^CREATE (OR REPLACE )?(FUNCTION|PROCEDURE|VIEW|TABLE) bitvelocity\.([a-z0-9_]+).*/\3/p' \
        "sql/$fragment" | awk '!seen[$0]++')
    [ -n "$objects" ] || return 0
    text=$(for object in $objects; do describe "$object"; done)
    [ -n "$text" ] || return 0
    printf '## %s\n\n%s\n\n' "$title" "$text"
}

describe() {
    sql -v name="$1" <<'SQL'
SELECT format(E'### `%s`\n\n%s%s\n\n```\n%s(%s)%s\n```\n', p.proname,
              replace(obj_description(p.oid, 'pg_proc'), E'\n', ' ')
                  || CASE WHEN obj_description(p.oid, 'pg_proc') ~ '[.]$' THEN '' ELSE '.' END,
              CASE WHEN p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) WHERE grantee = 0)
                   THEN ' *public*' ELSE '' END,
              p.proname,
              regexp_replace(pg_get_function_arguments(p.oid), ', ', E',\n    ', 'g'),
              CASE WHEN p.prokind = 'p' THEN '' ELSE ' -> ' || pg_get_function_result(p.oid) END)
FROM pg_proc p
WHERE p.pronamespace = 'bitvelocity'::regnamespace AND p.proname = :'name'
  AND p.prorettype <> 'trigger'::regtype
ORDER BY p.oid;
SELECT format(E'### %s `%s`\n\n%s\n\n%s\n',
              CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, c.relname,
              obj_description(c.oid, 'pg_class') || '.',
              (SELECT string_agg(format('`%s` %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
               FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
FROM pg_class c
WHERE c.relnamespace = 'bitvelocity'::regnamespace AND c.relname = :'name' AND c.relkind IN ('r', 'v', 'p');
SQL
}

fragments() {
    grep -vE '^ *(#|$)' sql/manifest | grep "^$1/"
}

for fragment in $(fragments api); do
    chapter "$fragment" "$(basename "$fragment" .sql)"
done
for fragment in $(fragments schema); do
    chapter "$fragment" "tables: $(basename "$fragment" .sql)"
done

cat <<'END'
## Settings

END
sql <<'SQL'
LOAD 'bitvelocity';
SELECT E'| setting | default | change | what |\n|---|---|---|---|' ||
       string_agg(format(E'\n| `%s` | %s | %s | %s |', name,
           CASE WHEN boot_val = '' THEN '-' ELSE '`' || boot_val || CASE WHEN unit IS NULL THEN '' ELSE ' ' || unit END || '`' END,
           CASE context WHEN 'postmaster' THEN 'restart' WHEN 'sighup' THEN 'reload' WHEN 'superuser' THEN 'superuser' ELSE 'session' END,
           short_desc || coalesce(' ' || extra_desc, '')), '' ORDER BY name)
FROM pg_settings WHERE name LIKE 'bitvelocity.%';
SQL
