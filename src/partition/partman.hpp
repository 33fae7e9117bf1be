// Partman: pg_partman 4.7 and 5.x behind one face.
//
// Hides where it is installed, which parameters its functions have in this version (they are looked
// up, and called by name), how an interval is spelt (4.x knows keywords) and how its settings are
// changed. Everything runs as the current user, who should be the table's owner: before 5.5
// pg_partman has open vulnerabilities against a superuser who runs it (CVE-2026-61781 and others).
// Main thread, in a transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bitvelocity::partition {

struct SetOptions {
    std::uint32_t relation = 0;
    std::string control;
    std::string every;  // an interval's text
    int premake = 4;
    std::optional<std::string> retention;  // an interval's text
    bool default_partition = true;
    // Partitions of the past (texts of timestamptz): from the one that holds `since` to the one
    // before `until`; without `until` up to those around now.
    std::optional<std::string> since;
    std::optional<std::string> until;
    bool own_maintenance = true;  // our workers run it, nobody else should
};

class Partman {
  public:
    // Throws 0A000, naming the package, where pg_partman is not installed.
    Partman();

    // Throws 42501, naming the GRANTs, unless `role` may use pg_partman.
    void RequireRights(std::uint32_t role) const;
    void CreateParent(const SetOptions& options) const;
    void RunMaintenance(std::uint32_t relation) const;
    // Forgets a table that is gone.
    [[nodiscard]] bool Knows(std::uint32_t relation) const;

    [[nodiscard]] int major() const { return major_; }

  private:
    [[nodiscard]] std::string Interval(const std::string& every) const;
    void CreateSpan(const SetOptions& options) const;
    [[nodiscard]] std::string Plain(std::uint32_t relation) const;

    int major_ = 0;
    std::string schema_;  // unquoted
};

}  // namespace bitvelocity::partition
