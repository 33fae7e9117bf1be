#include "pipeline/topic.hpp"

#include <algorithm>
#include <set>
#include <span>

#include "core/nearest.hpp"
#include "format/name_template.hpp"
#include "format/topic_name.hpp"

namespace bitvelocity::pipeline {

namespace {

core::Status Check(std::string_view text, const std::string& option,
                   const std::set<std::string>& known) {
    if (text.empty() || text == "." || text == "..") {
        return core::Status::Fail(core::kInvalidParameter,
                                  "option \"" + option + "\" is not a topic");
    }
    while (!text.empty()) {
        const std::string segment(format::TakeSegment(text));
        if (segment.front() == '{') {
            if (!known.contains(segment)) {
                return core::Status::Fail(
                    core::kInvalidParameter,
                    "unknown placeholder \"" + segment + "\" in option \"" + option + "\"", {},
                    core::NearestHint(segment, known, "placeholders"));
            }
        } else if (!std::all_of(segment.begin(), segment.end(), format::InTopic)) {
            std::string placeholders;
            for (const std::string& name : known) {
                placeholders += (placeholders.empty() ? "" : ", ") + name;
            }
            return core::Status::Fail(
                core::kInvalidParameter,
                "option \"" + option + "\" has a character that a topic cannot have", {},
                "Use letters, digits, \".\", \"_\", \"-\" and the placeholders " + placeholders +
                    ".");
        }
    }
    return core::Status::Ok();
}

core::Result<std::string> Limited(std::string topic) {
    if (topic.size() > format::kTopicLimit) {
        return core::Status::Fail(core::kInvalidParameter,
                                  "the topic \"" + topic + "\" is longer than " +
                                      std::to_string(format::kTopicLimit) + " bytes",
                                  {}, "Choose a shorter option topic.");
    }
    return topic;
}

core::Result<std::string> Expand(std::string_view text,
                                 std::span<const format::Placeholder> values) {
    std::string topic;
    while (!text.empty()) {
        const std::string_view segment = format::TakeSegment(text);
        const auto found =
            std::find_if(values.begin(), values.end(),
                         [&](const format::Placeholder& v) { return v.name == segment; });
        if (found == values.end()) {
            topic += segment;
        } else {
            format::AppendTopicName(topic, found->value);
        }
    }
    return Limited(std::move(topic));
}

}  // namespace

core::Status CheckTopicTemplate(std::string_view text) {
    static const std::set<std::string> kKnown{"{stream}", "{database}", "{schema}", "{table}"};
    return Check(text, "topic", kKnown);
}

core::Status CheckOutboxTopic(std::string_view text) {
    static const std::set<std::string> kKnown{"{stream}", "{database}", "{route}"};
    return Check(text, "outbox.topic", kKnown);
}

core::Result<std::string> MakeOutboxTopic(std::string_view text, const core::Source& source,
                                          std::string_view route) {
    const format::Placeholder values[] = {
        {"{stream}", source.stream}, {"{database}", source.database}, {"{route}", route}};
    return Expand(text, values);
}

core::Status CheckLetterTopic(std::string_view text) {
    static const std::set<std::string> kKnown{"{stream}", "{database}"};
    return Check(text, "dead_letter.topic", kKnown);
}

core::Result<std::string> MakeLetterTopic(std::string_view text, const core::Source& source) {
    return MakeOutboxTopic(text, source, {});
}

std::string MakeStreamTopic(const core::Source& source, std::string_view kind) {
    std::string topic;
    format::AppendTopicName(topic, source.stream);
    topic += '.';
    topic += kind;
    return topic;
}

core::Result<std::string> MakeTopic(std::string_view text, const core::Source& source,
                                    const core::RelationSchema* relation) {
    if (relation == nullptr) {
        return Limited(MakeStreamTopic(source, "message"));
    }
    const format::Placeholder values[] = {{"{stream}", source.stream},
                                          {"{database}", source.database},
                                          {"{schema}", relation->schema},
                                          {"{table}", relation->name}};
    return Expand(text, values);
}

}  // namespace bitvelocity::pipeline
