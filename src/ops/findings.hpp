// Findings: the rows of check_setup(), collected by the checks. A backend's main thread.
#pragma once

#include <string>
#include <vector>

#include "pg/spi.hpp"

struct FunctionCallInfoBaseData;

namespace bitvelocity::ops {

inline constexpr const char* kError = "ERROR";  // something does not work
inline constexpr const char* kWarning =
    "WARNING";                                // something will not work, or not for everything
inline constexpr const char* kInfo = "INFO";  // worth a decision

class Findings {
  public:
    void Add(const char* severity, std::string object, std::string finding, std::string fix);
    // Runs a query with the columns severity, object, finding, fix and adds its rows.
    void AddQuery(pg::SpiScope& spi, const std::string& sql);
    // Worst first; after BeginSet.
    void Return(FunctionCallInfoBaseData* fcinfo) const;

  private:
    struct Finding {
        std::string severity;
        std::string object;
        std::string finding;
        std::string fix;
    };
    std::vector<Finding> findings_;
};

// Settings of the server.
void CheckServer(Findings& findings, pg::SpiScope& spi);
// What is in the database: extension, workers, streams, slots, published tables.
void CheckDatabase(Findings& findings, pg::SpiScope& spi);

}  // namespace bitvelocity::ops
