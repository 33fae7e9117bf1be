#include "pipeline/schema_event.hpp"

#include "format/json_writer.hpp"

namespace bitvelocity::pipeline {

SchemaEvent MakeSchemaEvent(const core::Source& source, const core::Change& change) {
    const std::size_t zero = change.content.find('\0');
    format::JsonWriter value;
    value.Raw("{\"stream\":");
    value.String(source.stream);
    value.Raw(",\"database\":");
    value.String(source.database);
    value.Raw(",\"transaction_id\":\"");
    value.Number(change.identity.xid);
    value.Raw("\",\"lsn\":\"");
    value.LsnText(change.lsn);
    value.Raw("\",\"commit_lsn\":\"");
    value.LsnText(change.identity.commit_lsn);
    value.Raw("\",\"ts_ms\":");
    value.Number(change.commit_time_us / 1000);
    value.Raw(",");
    value.Raw(change.content.substr(zero + 2));  // behind the zero byte and the bracket
    return {change.content.substr(0, zero), std::string(value.view())};
}

}  // namespace bitvelocity::pipeline
