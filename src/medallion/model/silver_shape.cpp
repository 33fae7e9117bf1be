#include "medallion/model/silver_shape.hpp"

#include <nlohmann/json.hpp>

namespace bitvelocity::medallion {

namespace {

using nlohmann::json;

}  // namespace

std::string ToJson(const SilverShape& shape) {
    json source = json::array();
    for (const SourceColumn& column : shape.source) {
        source.push_back({{"name", column.name}, {"type", column.type}, {"needed", column.needed}});
    }
    json output = json::array();
    for (const OutputColumn& column : shape.output) {
        output.push_back({{"name", column.name},
                          {"cast", column.cast},
                          {"type", column.type},
                          {"source", column.source}});
    }
    return json{{"source", source},
                {"output", output},
                {"key", shape.key},
                {"key_source", shape.key_source},
                {"query", shape.query},
                {"may_filter", shape.may_filter},
                {"may_repeat", shape.may_repeat}}
        .dump();
}

core::Result<SilverShape> SilverShapeFromJson(std::string_view text) {
    try {
        const json parsed = json::parse(text);
        SilverShape shape;
        for (const json& column : parsed.at("source")) {
            shape.source.push_back({column.at("name"), column.at("type"), column.at("needed")});
        }
        for (const json& column : parsed.at("output")) {
            shape.output.push_back(
                {column.at("name"), column.at("cast"), column.at("type"), column.at("source")});
        }
        shape.key = parsed.at("key").get<std::vector<std::string>>();
        shape.key_source = parsed.at("key_source").get<std::vector<std::string>>();
        shape.query = parsed.at("query");
        shape.may_filter = parsed.at("may_filter");
        shape.may_repeat = parsed.at("may_repeat");
        return shape;
    } catch (const json::exception& error) {
        return core::Status::Fail(core::kInternalError, "definition of the dataset is damaged",
                                  error.what());
    }
}

}  // namespace bitvelocity::medallion
