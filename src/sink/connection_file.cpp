#include "sink/connection_file.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "core/nearest.hpp"

namespace bitvelocity::sink {

namespace {

std::string_view Trim(std::string_view text) {
    static constexpr std::string_view kBlank = " \t\r\f\v";
    const auto first = text.find_first_not_of(kBlank);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool IsConnectionName(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
    });
}

// Lower case only, as all properties are: a line of a pasted key must not pass for a name.
bool IsPropertyName(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    });
}

core::Status LineError(std::size_t line, std::string message, std::string hint = {}) {
    return core::Status::Fail(core::kConfigFileError, std::move(message),
                              "Line " + std::to_string(line) + " of the connection file.",
                              std::move(hint));
}

core::Status Refuse(std::string detail) {
    return core::Status::Fail(core::kConfigFileError, "the connection file is not safe to use",
                              std::move(detail),
                              "Make it a regular file of the server's user with mode 0600, or of "
                              "root with mode 0640.");
}

}  // namespace

core::Result<ConnectionFile> ParseConnectionFile(std::string_view text) {
    ConnectionFile file;
    std::set<std::string> sections;
    std::string section(kDefaultConnection);
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = Trim(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line.front() == '#' || line.front() == ';') {
            continue;
        }
        if (line.front() == '[') {
            if (line.back() != ']' || !IsConnectionName(Trim(line.substr(1, line.size() - 2)))) {
                return LineError(number, "a connection's name is not valid",
                                 "Write [name] with letters, digits, \"_\", \"-\" and \".\".");
            }
            section = Trim(line.substr(1, line.size() - 2));
            if (!sections.insert(section).second || file.connections.contains(section)) {
                return LineError(number, "connection \"" + section + "\" is there twice");
            }
            file.connections.try_emplace(section);
            continue;
        }
        const std::size_t equals = line.find('=');
        const std::string_view name = Trim(line.substr(0, equals));
        // A line that is no property may be a piece of a secret, so it is not repeated.
        if (equals == std::string_view::npos || !IsPropertyName(name)) {
            return LineError(number, "a line is neither a [name] nor a property",
                             "Write name = value.");
        }
        ConnectionProperties& properties = file.connections[section];
        if (std::any_of(properties.begin(), properties.end(),
                        [&](const auto& property) { return property.first == name; })) {
            return LineError(number, "property \"" + std::string(name) + "\" of connection \"" +
                                         section + "\" is there twice");
        }
        properties.emplace_back(name, Trim(line.substr(equals + 1)));
    }
    return file;
}

core::Result<ConnectionProperties> FindConnection(const ConnectionFile& file,
                                                  std::string_view name) {
    if (const auto found = file.connections.find(name); found != file.connections.end()) {
        return found->second;
    }
    std::set<std::string> known;
    for (const auto& [connection, properties] : file.connections) {
        known.insert(connection);
    }
    return core::Status::Fail(
        core::kInvalidParameter,
        "the connection file has no connection \"" + std::string(name) + "\"", {},
        known.empty() ? "The file is empty; write [" + std::string(name) + "] and its properties."
                      : core::NearestHint(name, known, "connections"));
}

core::Status CheckConnectionFile(std::uint32_t mode, std::uint32_t owner,
                                 std::uint32_t server_user) {
    if (!S_ISREG(mode)) {
        return Refuse("It is not a regular file.");
    }
    if (owner != server_user && owner != 0) {
        return Refuse("It belongs to neither the server's user nor root.");
    }
    const std::uint32_t forbidden =
        owner == 0 && server_user != 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if ((mode & forbidden) != 0) {
        return Refuse("Group or others have rights on it.");
    }
    return core::Status::Ok();
}

}  // namespace bitvelocity::sink
