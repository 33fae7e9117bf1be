// column_reference: to a column what regclass is to a table. Kept as OID and column number, so that
// a renamed column stays what it was; written as schema.table.column, so that a dump restores it
// where both are others. '-' stands for a column that is gone. No names are looked up in the search
// path.

#include "pg/boundary.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::audit {

namespace {

// The type's bytes: internallength 8, alignment int4.
struct ColumnReference {
    Oid relation;
    int16 number;
    int16 unused;
};
static_assert(sizeof(ColumnReference) == 8);

Datum Make(Oid relation, int16 number) {
    auto* reference = static_cast<ColumnReference*>(palloc0(sizeof(ColumnReference)));
    reference->relation = relation;
    reference->number = number;
    return PointerGetDatum(reference);
}

const ColumnReference& Get(Datum datum) {
    return *reinterpret_cast<const ColumnReference*>(DatumGetPointer(datum));
}

Datum Parse(char* text) {
    if (std::strcmp(text, "-") == 0) {
        return Make(InvalidOid, InvalidAttrNumber);
    }
    List* names = NIL;
    if (!SplitIdentifierString(pstrdup(text), '.', &names) || list_length(names) != 3) {
        ereport(ERROR, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                errmsg("invalid column reference \"%s\"", text),
                errhint("Write schema.table.column."));
    }
    const auto* column = static_cast<const char*>(lthird(names));
    RangeVar* table =
        makeRangeVar(static_cast<char*>(linitial(names)), static_cast<char*>(lsecond(names)), -1);
    const Oid relation = RangeVarGetRelid(table, NoLock, false);
    const AttrNumber number = get_attnum(relation, column);
    if (number == InvalidAttrNumber) {
        ereport(
            ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
            errmsg("column \"%s\" of table \"%s\" does not exist", column, get_rel_name(relation)));
    }
    return Make(relation, number);
}

const char* Print(const ColumnReference& reference) {
    const char* table = get_rel_name(reference.relation);
    const char* column =
        table != nullptr ? get_attname(reference.relation, reference.number, true) : nullptr;
    // A dropped column still has a name, but is not found by it.
    if (column == nullptr || get_attnum(reference.relation, column) != reference.number) {
        return pstrdup("-");
    }
    const char* schema = get_namespace_name(get_rel_namespace(reference.relation));
    return psprintf("%s.%s", quote_qualified_identifier(schema, table), quote_identifier(column));
}

}  // namespace

}  // namespace bitvelocity::audit

BV_FUNCTION(bitvelocity_column_reference_in) {
    char* const text = PG_GETARG_CSTRING(0);
    return bitvelocity::pg::Call([text]() { return bitvelocity::audit::Parse(text); });
}

BV_FUNCTION(bitvelocity_column_reference_out) {
    using namespace bitvelocity::audit;  // NOLINT: the body is outside the namespace
    const ColumnReference* const reference = &Get(PG_GETARG_DATUM(0));
    return CStringGetDatum(bitvelocity::pg::Call([reference]() { return Print(*reference); }));
}

// column_reference(regclass, smallint)
BV_FUNCTION(bitvelocity_column_reference) {
    const Oid relation = PG_GETARG_OID(0);
    const int16 number = PG_GETARG_INT16(1);
    return bitvelocity::pg::Call(
        [relation, number]() { return bitvelocity::audit::Make(relation, number); });
}

// The cast to smallint: the column's number.
BV_FUNCTION(bitvelocity_column_number) {
    return Int16GetDatum(bitvelocity::audit::Get(PG_GETARG_DATUM(0)).number);
}
