#include "medallion/arguments.hpp"

#include "core/nearest.hpp"
#include "pg/boundary.hpp"
#include "pg/scopes.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::medallion {

std::optional<std::string> TextArgument(FunctionCallInfoBaseData* fcinfo, int index) {
    if (PG_ARGISNULL(index)) {
        return std::nullopt;
    }
    char* copy = pg::Call([fcinfo, index]() { return text_to_cstring(PG_GETARG_TEXT_PP(index)); });
    return std::string(copy);
}

std::string RequiredText(FunctionCallInfoBaseData* fcinfo, int index, const char* name) {
    auto text = TextArgument(fcinfo, index);
    if (!text || text->empty()) {
        pg::Throw(core::kInvalidParameter, std::string(name) + " must not be null or empty");
    }
    return *text;
}

std::uint32_t RequiredRelation(FunctionCallInfoBaseData* fcinfo, int index, const char* name) {
    if (PG_ARGISNULL(index)) {
        pg::Throw(core::kInvalidParameter, std::string(name) + " must not be null");
    }
    return PG_GETARG_OID(index);
}

std::string JsonArgument(FunctionCallInfoBaseData* fcinfo, int index,
                         const std::string& otherwise) {
    if (PG_ARGISNULL(index)) {
        return otherwise;
    }
    char* copy = pg::Call([fcinfo, index]() {
        return DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(index)));
    });
    return copy;
}

std::vector<std::string> TextArray(FunctionCallInfoBaseData* fcinfo, int index) {
    std::vector<std::string> values;
    if (PG_ARGISNULL(index)) {
        return values;
    }
    struct Elements {
        Datum* values;
        bool* nulls;
        int count;
    };
    const Elements elements = pg::Call([fcinfo, index]() {
        Elements found{};
        deconstruct_array(PG_GETARG_ARRAYTYPE_P(index), TEXTOID, -1, false, TYPALIGN_INT,
                          &found.values, &found.nulls, &found.count);
        return found;
    });
    for (int i = 0; i < elements.count; ++i) {
        if (elements.nulls[i]) {
            pg::Throw("22004", "a list of names must not contain null");
        }
        char* copy =
            pg::Call([value = elements.values[i]]() { return TextDatumGetCString(value); });
        values.emplace_back(copy);
    }
    return values;
}

bool BoolArgument(FunctionCallInfoBaseData* fcinfo, int index) {
    return !PG_ARGISNULL(index) && PG_GETARG_BOOL(index);
}

std::vector<std::pair<std::string, std::optional<std::string>>> Members(pg::SpiScope& spi,
                                                                        const std::string& json,
                                                                        const std::string& what) {
    const pg::CatalogScope catalog;
    const pg::Rows kind = spi.Execute("SELECT jsonb_typeof($1)", {pg::Param::Jsonb(json)});
    if (kind.Text(0, 1) != "object") {
        pg::Throw(core::kInvalidParameter, what + " must be a JSON object");
    }
    const pg::Rows rows =
        spi.Execute("SELECT key, value FROM jsonb_each_text($1)", {pg::Param::Jsonb(json)});
    std::vector<std::pair<std::string, std::optional<std::string>>> members;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        members.emplace_back(*rows.Text(i, 1), rows.Text(i, 2));
    }
    return members;
}

std::vector<std::pair<std::string, std::optional<std::string>>> Options(
    pg::SpiScope& spi, const std::string& json, const std::set<std::string>& known) {
    auto members = Members(spi, json, "options");
    for (const auto& [key, value] : members) {
        if (!known.contains(key)) {
            pg::Throw(core::kInvalidParameter, "unknown option \"" + key + "\"", {},
                      core::NearestHint(key, known, "options"));
        }
    }
    return members;
}

pg::Param TextArrayParam(const std::vector<std::string>& values) {
    std::string text = "{";
    for (const std::string& value : values) {
        text += (text.size() == 1 ? "\"" : ",\"");
        for (const char c : value) {
            if (c == '"' || c == '\\') {
                text += '\\';
            }
            text += c;
        }
        text += "\"";
    }
    pg::Param param = pg::Param::Jsonb(text + "}");
    param.type = TEXTARRAYOID;
    return param;
}

pg::Param ArrayText(const std::string& text) {
    if (text.empty()) {
        return pg::Param::Null(INT8ARRAYOID);
    }
    pg::Param param = pg::Param::Jsonb(text);
    param.type = INT8ARRAYOID;
    return param;
}

}  // namespace bitvelocity::medallion
