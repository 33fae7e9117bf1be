#include "trail/json_value.hpp"

#include "core/oids.hpp"
#include "pg/boundary.hpp"
#include "pg/postgres.hpp"
#include "pg/scopes.hpp"

namespace bitvelocity::trail {

struct JsonType {
    JsonKind kind = JsonKind::kString;
    Oid base = InvalidOid;
    Oid io_param = InvalidOid;
    // kConvert only, all in `memory`
    MemoryContext memory = nullptr;
    FmgrInfo* input = nullptr;
    FmgrInfo* to_jsonb = nullptr;

    JsonType() = default;
    JsonType(const JsonType&) = delete;
    JsonType& operator=(const JsonType&) = delete;
    ~JsonType() {
        if (memory != nullptr) {
            MemoryContextDelete(memory);
        }
    }
};

namespace {

// Numbers longer than this may be beyond numeric, and texts beyond jsonb's longest string.
constexpr std::size_t kLongJson = 100'000;

struct Cache {
    std::unordered_map<Oid, JsonTypePtr> types;
    bool registered = false;
    bool stale = false;
};

Cache& TheCache() {
    static Cache* const cache = new Cache;  // lives as long as the process
    return *cache;
}

void Invalidate(Datum /*argument*/, int /*cache_id*/, uint32 /*hash*/) {
    TheCache().stale = true;
}

struct Found {
    JsonKind kind;
    Oid base;
    bool exists;
};

// The decision of jsonb.c's jsonb_categorize_type.
Found Categorize(Oid type) {
    if (!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type))) {
        return {JsonKind::kString, type, false};
    }
    const Oid base = getBaseType(type);
    switch (base) {
        case BOOLOID:
            return {JsonKind::kBool, base, true};
        case INT2OID:
        case INT4OID:
        case INT8OID:
            return {JsonKind::kInteger, base, true};
        case FLOAT4OID:
        case FLOAT8OID:
        case NUMERICOID:
            return {JsonKind::kNumber, base, true};
        case DATEOID:
            return {JsonKind::kDate, base, true};
        case TIMESTAMPOID:
            return {JsonKind::kTimestamp, base, true};
        case TIMESTAMPTZOID:
            return {JsonKind::kTimestamptz, base, true};
        case JSONOID:
        case JSONBOID:
            return {JsonKind::kJson, base, true};
        default:
            break;
    }
    if (OidIsValid(get_element_type(base)) || type_is_rowtype(base)) {
        return {JsonKind::kConvert, base, true};
    }
    if (base >= FirstNormalObjectId) {
        Oid function = InvalidOid;
        if (find_coercion_pathway(JSONOID, base, COERCION_EXPLICIT, &function) ==
                COERCION_PATH_FUNC &&
            OidIsValid(function)) {
            return {JsonKind::kConvert, base, true};
        }
    }
    return {JsonKind::kString, base, true};
}

void PrepareConvert(JsonType* type) {
    type->memory =
        AllocSetContextCreate(TopMemoryContext, "bitvelocity json type", ALLOCSET_SMALL_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(type->memory);
    Oid input = InvalidOid;
    getTypeInputInfo(type->base, &input, &type->io_param);
    type->input = static_cast<FmgrInfo*>(palloc0(sizeof(FmgrInfo)));
    fmgr_info_cxt(input, type->input, type->memory);
    type->to_jsonb = static_cast<FmgrInfo*>(palloc0(sizeof(FmgrInfo)));
    fmgr_info_cxt(F_TO_JSONB, type->to_jsonb, type->memory);
    // to_jsonb takes anyelement and asks the call expression what it got.
    Node* argument = reinterpret_cast<Node*>(makeNullConst(type->base, -1, InvalidOid));
    fmgr_info_set_expr(
        reinterpret_cast<Node*>(makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument), InvalidOid,
                                             InvalidOid, COERCE_EXPLICIT_CALL)),
        type->to_jsonb);
    MemoryContextSwitchTo(old);
}

char* Terminated(std::string_view text) {
    return pnstrdup(text.data(), text.size());
}

void SetString(std::string_view text, JsonbValue* value) {
    value->type = jbvString;
    value->val.string.val = const_cast<char*>(text.data());
    value->val.string.len = static_cast<int>(text.size());
}

bool ParseInteger(std::string_view text, std::int64_t* result) {
    std::size_t at = 0;
    const bool negative = !text.empty() && text[0] == '-';
    at += negative ? 1 : 0;
    if (at == text.size() || text.size() - at > 18) {
        return false;
    }
    std::int64_t number = 0;
    for (; at < text.size(); ++at) {
        if (text[at] < '0' || text[at] > '9') {
            return false;
        }
        number = number * 10 + (text[at] - '0');
    }
    *result = negative ? -number : number;
    return true;
}

void SetNumber(std::string_view text, JsonbValue* value) {
    std::int64_t number = 0;
    if (ParseInteger(text, &number)) {
        value->type = jbvNumeric;
        value->val.numeric = int64_to_numeric(number);
        return;
    }
    if (text.find_first_of("nN") != std::string_view::npos) {  // NaN, Infinity
        SetString(text, value);
        return;
    }
    value->type = jbvNumeric;
    value->val.numeric =
        DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(Terminated(text)),
                                            ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

// ISO output 2026-11-23 10:00:00+00 BC becomes 2026-11-23T10:00:00+00:00 BC.
void SetTime(std::string_view text, bool zone, JsonbValue* value) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos || text[0] < '0' || text[0] > '9') {
        SetString(text, value);  // infinity
        return;
    }
    auto* buffer = static_cast<char*>(palloc(text.size() + 4));
    std::memcpy(buffer, text.data(), text.size());
    std::size_t length = text.size();
    buffer[space] = 'T';
    if (zone) {
        const std::size_t sign = text.find_first_of("+-", space);
        std::size_t end = sign;
        while (end != std::string_view::npos && end < length && buffer[end] != ' ') {
            ++end;
        }
        if (sign != std::string_view::npos && end - sign == 3) {
            std::memmove(buffer + end + 3, buffer + end, length - end);
            std::memcpy(buffer + end, ":00", 3);
            length += 3;
        }
    }
    SetString({buffer, length}, value);
}

// A value inside another one has to be unfolded: only pushJsonbValue takes the binary form.
void Unfold(Jsonb* json, JsonbValue* value) {
    JsonbParseState* state = nullptr;
    JsonbValue* result = nullptr;
    JsonbValue token_value;
    JsonbIterator* iterator = JsonbIteratorInit(&json->root);
    bool scalar = false;
    for (;;) {
        const JsonbIteratorToken token = JsonbIteratorNext(&iterator, &token_value, false);
        if (token == WJB_DONE) {
            break;
        }
        const bool raw = token == WJB_BEGIN_ARRAY && token_value.val.array.rawScalar;
        scalar = scalar || raw;
        result =
            pushJsonbValue(&state, token, token < WJB_BEGIN_ARRAY || raw ? &token_value : nullptr);
    }
    *value = scalar ? result->val.array.elems[0] : *result;
}

void SetJson(std::string_view text, JsonbValue* value) {
    const Datum json = DirectFunctionCall1(jsonb_in, CStringGetDatum(Terminated(text)));
    Unfold(DatumGetJsonbP(json), value);
}

// What json accepts and jsonb may refuse: \u escapes it cannot decode, numbers beyond numeric.
bool MayBeRefused(std::string_view text) {
    if (text.size() > kLongJson || text.find("\\u") != std::string_view::npos) {
        return true;
    }
    for (std::size_t i = 1; i < text.size(); ++i) {
        if ((text[i] == 'e' || text[i] == 'E') && text[i - 1] >= '0' && text[i - 1] <= '9') {
            return true;
        }
    }
    return false;
}

}  // namespace

JsonTypePtr FindJsonType(core::Oid oid, const core::TypeDescription* type) {
    Cache& cache = TheCache();
    if (!cache.registered) {
        pg::Call([]() {
            CacheRegisterSyscacheCallback(TYPEOID, Invalidate, 0);
            CacheRegisterSyscacheCallback(CASTSOURCETARGET, Invalidate, 0);
        });
        cache.registered = true;
    }
    if (cache.stale) {
        cache.types.clear();
        cache.stale = false;
    }
    if (const auto found = cache.types.find(oid); found != cache.types.end()) {
        return found->second;
    }
    const Found found = pg::Call([oid]() { return Categorize(oid); });
    if (!found.exists && type != nullptr && type->kind == core::TypeKind::kDomain &&
        type->element != nullptr) {
        return FindJsonType(type->element->oid, type->element.get());
    }
    auto made = std::make_shared<JsonType>();
    made->kind = found.kind;
    made->base = found.base;
    if (made->kind == JsonKind::kConvert) {
        pg::Call([raw = made.get()]() { PrepareConvert(raw); });
    }
    if (found.exists) {
        cache.types.emplace(oid, made);
    }
    return made;
}

JsonKind KindOf(const JsonType& type) {
    return type.kind;
}

bool NeedsConvert(const JsonType& type, std::string_view text) {
    return type.kind == JsonKind::kConvert ||
           (type.kind == JsonKind::kJson && type.base == JSONOID && MayBeRefused(text));
}

void ToJson(const JsonType& type, std::string_view text, JsonbValue* value) {
    switch (type.kind) {
        case JsonKind::kBool:
            value->type = jbvBool;
            value->val.boolean = !text.empty() && text[0] == 't';
            return;
        case JsonKind::kInteger:
        case JsonKind::kNumber:
            SetNumber(text, value);
            return;
        case JsonKind::kTimestamp:
        case JsonKind::kTimestamptz:
            SetTime(text, type.kind == JsonKind::kTimestamptz, value);
            return;
        case JsonKind::kJson:
            SetJson(text, value);
            return;
        case JsonKind::kDate:
        case JsonKind::kString:
        case JsonKind::kConvert:
            break;
    }
    SetString(text, value);
}

void Convert(const JsonType& type, std::string_view text, core::Oid owner, JsonbValue* value) {
    // A role change outside the subtransaction: its rollback then finds the role it began with.
    pg::OwnerScope as_owner(owner);
    const core::Status converted = pg::Catch([&]() {
        pg::SubtransactionScope attempt;
        const JsonType* plain = &type;
        pg::Call([plain, text, value]() {
            if (plain->kind == JsonKind::kJson) {
                SetJson(text, value);
                return;
            }
            const Datum datum =
                InputFunctionCall(plain->input, Terminated(text), plain->io_param, -1);
            Unfold(DatumGetJsonbP(FunctionCall1(plain->to_jsonb, datum)), value);
        });
        attempt.Commit();
    });
    if (!converted.ok()) {
        if (converted.error().sqlstate == core::kQueryCanceled ||
            converted.error().sqlstate.starts_with("57P") ||
            converted.error().sqlstate.starts_with("53")) {
            pg::ThrowIfError(core::Status(core::Error(converted.error())));
        }
        SetString(text, value);
    }
}

bool JsonKeyLess(std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
}

}  // namespace bitvelocity::trail
