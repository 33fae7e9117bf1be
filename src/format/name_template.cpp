#include "format/name_template.hpp"

#include <algorithm>

#include "core/nearest.hpp"

namespace bitvelocity::format {

std::string_view TakeSegment(std::string_view& text) {
    const bool placeholder = text.front() == '{';
    std::size_t end = placeholder ? text.find('}') : text.find('{');
    end = end == std::string_view::npos ? text.size() : end + (placeholder ? 1 : 0);
    const std::string_view segment = text.substr(0, end);
    text.remove_prefix(end);
    return segment;
}

core::Status CheckTemplate(std::string_view option, std::string_view text,
                           const std::set<std::string>& known) {
    const std::string quoted = "option \"" + std::string(option) + "\"";
    if (text.empty()) {
        return core::Status::Fail(core::kInvalidParameter, quoted + " must not be empty");
    }
    while (!text.empty()) {
        const std::string segment(TakeSegment(text));
        if (segment.front() == '{' ? !known.contains(segment)
                                   : segment.find('}') != std::string::npos) {
            return core::Status::Fail(core::kInvalidParameter,
                                      "unknown placeholder \"" + segment + "\" in " + quoted, {},
                                      core::NearestHint(segment, known, "placeholders"));
        }
    }
    return core::Status::Ok();
}

std::string ExpandTemplate(std::string_view text, std::span<const Placeholder> values) {
    std::string expanded;
    while (!text.empty()) {
        const std::string_view segment = TakeSegment(text);
        const auto found =
            std::find_if(values.begin(), values.end(),
                         [&](const Placeholder& value) { return value.name == segment; });
        expanded += found == values.end() ? segment : found->value;
    }
    return expanded;
}

}  // namespace bitvelocity::format
