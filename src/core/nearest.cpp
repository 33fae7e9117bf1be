#include "core/nearest.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace bitvelocity::core {

namespace {

char Lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::size_t EditDistance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (Lower(a[i - 1]) == Lower(b[j - 1]) ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

std::string_view NearestName(std::string_view name, const std::set<std::string>& known) {
    // The comparison is quadratic; no option, rule or column name is this long.
    constexpr std::size_t kLongestName = 256;
    if (name.size() > kLongestName) {
        return {};
    }
    std::string_view best;
    std::size_t best_distance = 0;
    for (const std::string& candidate : known) {
        const std::size_t distance = EditDistance(name, candidate);
        const std::size_t longer = std::max(name.size(), candidate.size());
        if (2 * distance <= longer && (best.empty() || distance < best_distance)) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string NearestHint(std::string_view name, const std::set<std::string>& known,
                        std::string_view plural) {
    if (const std::string_view nearest = NearestName(name, known); !nearest.empty()) {
        return "Perhaps you meant \"" + std::string(nearest) + "\".";
    }
    if (known.empty()) {
        return "There are no " + std::string(plural) + " here.";
    }
    std::string hint = "Known " + std::string(plural) + " are ";
    std::size_t left = known.size();
    for (const std::string& candidate : known) {
        hint += candidate;
        --left;
        hint += left == 0 ? "." : left == 1 ? " and " : ", ";
    }
    return hint;
}

}  // namespace bitvelocity::core
