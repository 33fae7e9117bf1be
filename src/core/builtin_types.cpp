#include "core/builtin_types.hpp"

#include <algorithm>
#include <iterator>

namespace bitvelocity::core {

namespace {

struct Row {
    Oid oid;
    Oid array_oid;
    const char* name;
    char category;
    TypeKind kind = TypeKind::kBase;
    Oid element = 0;  // ranges and multiranges: subtype and range; vectors: element
};

// pg_type.dat of PostgreSQL 15: what a column of an ordinary table can have.
constexpr Row kRows[] = {
    {16, 1000, "bool", 'B'},
    {17, 1001, "bytea", 'U'},
    {18, 1002, "char", 'Z'},
    {19, 1003, "name", 'S'},
    {20, 1016, "int8", 'N'},
    {21, 1005, "int2", 'N'},
    {22, 1006, "int2vector", 'A', TypeKind::kArray, 21},
    {23, 1007, "int4", 'N'},
    {24, 1008, "regproc", 'N'},
    {25, 1009, "text", 'S'},
    {26, 1028, "oid", 'N'},
    {27, 1010, "tid", 'U'},
    {28, 1011, "xid", 'U'},
    {29, 1012, "cid", 'U'},
    {30, 1013, "oidvector", 'A', TypeKind::kArray, 26},
    {114, 199, "json", 'U'},
    {142, 143, "xml", 'U'},
    {600, 1017, "point", 'G'},
    {601, 1018, "lseg", 'G'},
    {602, 1019, "path", 'G'},
    {603, 1020, "box", 'G'},
    {604, 1027, "polygon", 'G'},
    {628, 629, "line", 'G'},
    {650, 651, "cidr", 'I'},
    {700, 1021, "float4", 'N'},
    {701, 1022, "float8", 'N'},
    {718, 719, "circle", 'G'},
    {774, 775, "macaddr8", 'U'},
    {790, 791, "money", 'N'},
    {829, 1040, "macaddr", 'U'},
    {869, 1041, "inet", 'I'},
    {1033, 1034, "aclitem", 'U'},
    {1042, 1014, "bpchar", 'S'},
    {1043, 1015, "varchar", 'S'},
    {1082, 1182, "date", 'D'},
    {1083, 1183, "time", 'D'},
    {1114, 1115, "timestamp", 'D'},
    {1184, 1185, "timestamptz", 'D'},
    {1186, 1187, "interval", 'T'},
    {1266, 1270, "timetz", 'D'},
    {1560, 1561, "bit", 'V'},
    {1562, 1563, "varbit", 'V'},
    {1700, 1231, "numeric", 'N'},
    {1790, 2201, "refcursor", 'U'},
    {2202, 2207, "regprocedure", 'N'},
    {2203, 2208, "regoper", 'N'},
    {2204, 2209, "regoperator", 'N'},
    {2205, 2210, "regclass", 'N'},
    {2206, 2211, "regtype", 'N'},
    {2950, 2951, "uuid", 'U'},
    {2970, 2949, "txid_snapshot", 'U'},
    {3220, 3221, "pg_lsn", 'U'},
    {3614, 3643, "tsvector", 'U'},
    {3615, 3645, "tsquery", 'U'},
    {3642, 3644, "gtsvector", 'U'},
    {3734, 3735, "regconfig", 'N'},
    {3769, 3770, "regdictionary", 'N'},
    {3802, 3807, "jsonb", 'U'},
    {3904, 3905, "int4range", 'R', TypeKind::kRange, 23},
    {3906, 3907, "numrange", 'R', TypeKind::kRange, 1700},
    {3908, 3909, "tsrange", 'R', TypeKind::kRange, 1114},
    {3910, 3911, "tstzrange", 'R', TypeKind::kRange, 1184},
    {3912, 3913, "daterange", 'R', TypeKind::kRange, 1082},
    {3926, 3927, "int8range", 'R', TypeKind::kRange, 20},
    {4072, 4073, "jsonpath", 'U'},
    {4089, 4090, "regnamespace", 'N'},
    {4096, 4097, "regrole", 'N'},
    {4191, 4192, "regcollation", 'N'},
    {4451, 6150, "int4multirange", 'R', TypeKind::kMultirange, 3904},
    {4532, 6151, "nummultirange", 'R', TypeKind::kMultirange, 3906},
    {4533, 6152, "tsmultirange", 'R', TypeKind::kMultirange, 3908},
    {4534, 6153, "tstzmultirange", 'R', TypeKind::kMultirange, 3910},
    {4535, 6155, "datemultirange", 'R', TypeKind::kMultirange, 3912},
    {4536, 6157, "int8multirange", 'R', TypeKind::kMultirange, 3926},
    {5038, 5039, "pg_snapshot", 'U'},
    {5069, 271, "xid8", 'U'},
};

constexpr Oid kBoxOid = 603;

}  // namespace

TypePtr BuiltinTypes::Get(Oid oid) {
    if (const auto found = types_.find(oid); found != types_.end()) {
        return found->second;
    }
    auto type = std::make_shared<TypeDescription>();
    type->oid = oid;
    const auto row = std::find_if(std::begin(kRows), std::end(kRows), [oid](const Row& candidate) {
        return candidate.oid == oid || candidate.array_oid == oid;
    });
    if (row != std::end(kRows)) {
        type->schema = "pg_catalog";
        type->delimiter = row->oid == kBoxOid ? ';' : ',';
        if (row->oid == oid) {
            type->name = row->name;
            type->category = row->category;
            type->kind = row->kind;
            if (row->element != 0) {
                type->element = Get(row->element);
            }
        } else {
            type->name = std::string("_") + row->name;
            type->category = 'A';
            type->kind = TypeKind::kArray;
            type->element = Get(row->oid);
        }
    }
    types_.emplace(oid, type);
    return type;
}

}  // namespace bitvelocity::core
