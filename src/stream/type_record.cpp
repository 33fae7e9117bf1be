#include "stream/type_record.hpp"

#include "wal/frame.hpp"

namespace bitvelocity::stream {

namespace {

void AppendString(StringInfo out, const char* text) {
    appendBinaryStringInfo(out, text, static_cast<int>(std::strlen(text)) + 1);
}

struct SortedLabel {
    float4 order;
    NameData label;
};

int CompareLabels(const void* a, const void* b) {
    const float4 x = static_cast<const SortedLabel*>(a)->order;
    const float4 y = static_cast<const SortedLabel*>(b)->order;
    return x < y ? -1 : (x > y ? 1 : 0);
}

void AppendLabels(StringInfo out, Oid type) {
    CatCList* list = SearchSysCacheList1(ENUMTYPOIDNAME, ObjectIdGetDatum(type));
    auto* labels = static_cast<SortedLabel*>(palloc(sizeof(SortedLabel) * (list->n_members + 1)));
    for (int i = 0; i < list->n_members; ++i) {
        auto* row = reinterpret_cast<Form_pg_enum>(GETSTRUCT(&list->members[i]->tuple));
        labels[i].order = row->enumsortorder;
        labels[i].label = row->enumlabel;
    }
    qsort(labels, list->n_members, sizeof(SortedLabel), CompareLabels);
    pq_sendint16(out, static_cast<uint16>(list->n_members));
    for (int i = 0; i < list->n_members; ++i) {
        AppendString(out, NameStr(labels[i].label));
    }
    ReleaseCatCacheList(list);
    pfree(labels);
}

void AppendType(StringInfo out, Oid type, int depth, SeeType see);

void AppendAttributes(StringInfo out, Oid relation, int depth, SeeType see) {
    const int count_at = out->len;
    pq_sendint16(out, 0);
    uint16 count = 0;
    const HeapTuple class_tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(class_tuple)) {
        return;
    }
    const int natts = reinterpret_cast<Form_pg_class>(GETSTRUCT(class_tuple))->relnatts;
    ReleaseSysCache(class_tuple);
    for (int i = 1; i <= natts; ++i) {
        const HeapTuple tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation),
                                                Int16GetDatum(static_cast<int16>(i)));
        if (!HeapTupleIsValid(tuple)) {
            continue;
        }
        auto* attribute = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple));
        if (!attribute->attisdropped) {
            AppendString(out, NameStr(attribute->attname));
            pq_sendint32(out, static_cast<uint32>(attribute->atttypmod));
            AppendType(out, attribute->atttypid, depth + 1, see);
            ++count;
        }
        ReleaseSysCache(tuple);
    }
    const uint16 network = pg_hton16(count);
    std::memcpy(out->data + count_at, &network, sizeof(network));
}

void AppendUnknownType(StringInfo out, Oid type) {
    pq_sendint32(out, type);
    AppendString(out, "");
    AppendString(out, "unknown");
    pq_sendint8(out, TYPTYPE_BASE);
    pq_sendint8(out, TYPCATEGORY_USER);
    pq_sendint8(out, ',');
    pq_sendint32(out, static_cast<uint32>(-1));
    pq_sendint8(out, 0);
    pq_sendint16(out, 0);
    pq_sendint16(out, 0);
}

void AppendType(StringInfo out, Oid type, int depth, SeeType see) {
    HeapTuple tuple = nullptr;
    if (depth < wal::kMaxTypeDepth) {
        tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    }
    if (!HeapTupleIsValid(tuple)) {
        AppendUnknownType(out, type);
        return;
    }
    auto* row = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
    if (see != nullptr) {
        see(type, row->typrelid);
    }
    char kind = row->typtype;
    Oid element = InvalidOid;
    if (IsTrueArrayType(row)) {
        kind = 'a';
        element = row->typelem;
    } else if (kind == TYPTYPE_DOMAIN) {
        element = row->typbasetype;
    }
    pq_sendint32(out, type);
    char* schema = get_namespace_name(row->typnamespace);
    AppendString(out, schema != nullptr ? schema : "");
    AppendString(out, NameStr(row->typname));
    pq_sendint8(out, static_cast<uint8>(kind));
    pq_sendint8(out, static_cast<uint8>(row->typcategory));
    pq_sendint8(out, static_cast<uint8>(row->typdelim));
    pq_sendint32(out, static_cast<uint32>(kind == TYPTYPE_DOMAIN ? row->typtypmod : -1));
    pq_sendint8(out, OidIsValid(element) ? 1 : 0);
    if (OidIsValid(element)) {
        AppendType(out, element, depth + 1, see);
    }
    if (kind == TYPTYPE_ENUM) {
        AppendLabels(out, type);
    } else {
        pq_sendint16(out, 0);
    }
    if (kind == TYPTYPE_COMPOSITE) {
        AppendAttributes(out, row->typrelid, depth, see);
    } else {
        pq_sendint16(out, 0);
    }
    ReleaseSysCache(tuple);
}

// The primary key, without one the index of the replica identity: its columns, in its order.
struct Key {
    bool primary;
    int count;
    AttrNumber numbers[INDEX_MAX_KEYS];
};

// RelationGetIndexAttrBitmap knows the columns, not their order, and locks every index of the
// table: a decoder would wait for whoever rebuilds one. The relation cache needs no lock.
void ReadKey(Relation relation, Key* key) {
    key->primary = false;
    key->count = 0;
    list_free(RelationGetIndexList(relation));  // finds both indexes
    key->primary = OidIsValid(relation->rd_pkindex);
    const Oid oid = key->primary ? relation->rd_pkindex : relation->rd_replidindex;
    const Relation index = OidIsValid(oid) ? RelationIdGetRelation(oid) : nullptr;
    if (index == nullptr) {
        return;
    }
    key->count = index->rd_index->indnkeyatts;
    for (int i = 0; i < key->count; ++i) {
        key->numbers[i] = index->rd_index->indkey.values[i];
    }
    RelationClose(index);
}

// As pg_get_expr prints it; null: none. A default names no column, so nothing has to be known (and
// locked) of its table.
const char* DefaultExpression(TupleDesc descriptor, Form_pg_attribute attribute) {
    if (!attribute->atthasdef || attribute->attgenerated != '\0' || descriptor->constr == nullptr) {
        return nullptr;
    }
    for (int i = 0; i < descriptor->constr->num_defval; ++i) {
        const AttrDefault* value = &descriptor->constr->defval[i];
        if (value->adnum == attribute->attnum) {
            return deparse_expression(static_cast<Node*>(stringToNode(value->adbin)), NIL, false,
                                      false);
        }
    }
    return nullptr;
}

// What the relation knows of a column; 0 where it has no such column (any more).
void AppendColumn(StringInfo out, Relation relation, const Key* key, const char* name) {
    if (relation == nullptr) {
        pq_sendint8(out, 0);
        return;
    }
    const TupleDesc descriptor = RelationGetDescr(relation);
    for (int i = 0; i < descriptor->natts; ++i) {
        const Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
        if (attribute->attisdropped || std::strcmp(NameStr(attribute->attname), name) != 0) {
            continue;
        }
        int position = 0;
        for (int k = 0; k < key->count; ++k) {
            position = key->numbers[k] == attribute->attnum ? k + 1 : position;
        }
        const char* expression = DefaultExpression(descriptor, attribute);
        pq_sendint8(out, (attribute->attnotnull ? 1 : 0) | (position > 0 && key->primary ? 2 : 0) |
                             4 | (position > 0 ? 8 : 0) | (expression != nullptr ? 16 : 0));
        pq_sendint16(out, static_cast<uint16>(attribute->attnum));
        if (position > 0) {
            pq_sendint8(out, static_cast<uint8>(position));
        }
        if (expression != nullptr) {
            AppendString(out, expression);
        }
        return;
    }
    pq_sendint8(out, 0);
}

}  // namespace

void AppendTypeRecord(StringInfo out, const char* relation_message, std::size_t length,
                      SeeType see) {
    if (!IsTransactionState()) {
        elog(ERROR, "types are described outside a transaction");
    }
    StringInfoData in;
    in.data = const_cast<char*>(relation_message);
    in.len = static_cast<int>(length);
    in.maxlen = in.len;
    in.cursor = 1;
    const Oid relid = pq_getmsgint(&in, 4);
    pq_getmsgrawstring(&in);  // schema
    pq_getmsgrawstring(&in);  // name
    pq_getmsgbyte(&in);       // replica identity
    const int columns = static_cast<int>(pq_getmsgint(&in, 2));

    const Relation relation = RelationIdGetRelation(relid);
    Key key = {};
    if (relation != nullptr) {
        ReadKey(relation, &key);
    }

    appendStringInfoCharMacro(out, wal::kTypesTag);
    pq_sendint32(out, relid);
    pq_sendint16(out, static_cast<uint16>(columns));
    for (int i = 0; i < columns; ++i) {
        pq_getmsgbyte(&in);  // key flag
        const char* name = pq_getmsgrawstring(&in);
        const Oid type = pq_getmsgint(&in, 4);
        pq_getmsgint(&in, 4);  // typmod
        AppendColumn(out, relation, &key, name);
        AppendType(out, type, 0, see);
    }
    if (relation != nullptr) {
        RelationClose(relation);
    }
}

}  // namespace bitvelocity::stream
