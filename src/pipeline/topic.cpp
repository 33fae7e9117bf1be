#include "pipeline/topic.hpp"

#include <algorithm>
#include <set>

#include "core/nearest.hpp"
#include "format/topic_name.hpp"

namespace bitvelocity::pipeline {

namespace {

// Takes one literal or one placeholder (with its braces) off the front.
std::string_view TakeSegment(std::string_view& text) {
    const bool placeholder = text.front() == '{';
    std::size_t end = placeholder ? text.find('}') : text.find('{');
    end = end == std::string_view::npos ? text.size() : end + (placeholder ? 1 : 0);
    const std::string_view segment = text.substr(0, end);
    text.remove_prefix(end);
    return segment;
}

}  // namespace

namespace {

core::Status Check(std::string_view text, const std::string& option,
                   const std::set<std::string>& known) {
    if (text.empty() || text == "." || text == "..") {
        return core::Status::Fail(core::kInvalidParameter,
                                  "option \"" + option + "\" is not a topic");
    }
    while (!text.empty()) {
        const std::string segment(TakeSegment(text));
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
    std::string topic;
    while (!text.empty()) {
        const std::string_view segment = TakeSegment(text);
        if (segment == "{route}") {
            format::AppendTopicName(topic, route);
        } else if (segment == "{stream}") {
            format::AppendTopicName(topic, source.stream);
        } else if (segment == "{database}") {
            format::AppendTopicName(topic, source.database);
        } else {
            topic += segment;
        }
    }
    return Limited(std::move(topic));
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
    std::string topic;
    if (relation == nullptr) {
        format::AppendTopicName(topic, source.stream);
        topic += ".message";
        text = {};
    }
    while (!text.empty()) {
        const std::string_view segment = TakeSegment(text);
        if (segment == "{stream}") {
            format::AppendTopicName(topic, source.stream);
        } else if (segment == "{database}") {
            format::AppendTopicName(topic, source.database);
        } else if (segment == "{schema}") {
            format::AppendTopicName(topic, relation->schema);
        } else if (segment == "{table}") {
            format::AppendTopicName(topic, relation->name);
        } else {
            topic += segment;
        }
    }
    return Limited(std::move(topic));
}

}  // namespace bitvelocity::pipeline
