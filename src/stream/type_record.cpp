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

// Flags and attribute number of a column; 0 where the relation has no such column (any more).
void AppendColumn(StringInfo out, Relation relation, const Bitmapset* primary_key,
                  const char* name) {
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
        uint8 flags = attribute->attnotnull ? 5 : 4;
        if (bms_is_member(attribute->attnum - FirstLowInvalidHeapAttributeNumber, primary_key)) {
            flags |= 2;
        }
        pq_sendint8(out, flags);
        pq_sendint16(out, static_cast<uint16>(attribute->attnum));
        return;
    }
    pq_sendint8(out, 0);
}

}  // namespace

void AppendTypeRecord(StringInfo out, const char* relation_message, std::size_t length,
                      SeeType see) {
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
    const Bitmapset* primary_key =
        relation != nullptr ? RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY)
                            : nullptr;

    appendStringInfoCharMacro(out, wal::kTypesTag);
    pq_sendint32(out, relid);
    pq_sendint16(out, static_cast<uint16>(columns));
    for (int i = 0; i < columns; ++i) {
        pq_getmsgbyte(&in);  // key flag
        const char* name = pq_getmsgrawstring(&in);
        const Oid type = pq_getmsgint(&in, 4);
        pq_getmsgint(&in, 4);  // typmod
        AppendColumn(out, relation, primary_key, name);
        AppendType(out, type, 0, see);
    }
    if (relation != nullptr) {
        RelationClose(relation);
    }
}

}  // namespace bitvelocity::stream
