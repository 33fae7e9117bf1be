// Sha256: FIPS 180-4's SHA-256, for pseudonyms of masked values.
//
// Kept here because zone P has nothing but the standard library. Not for passwords and not constant
// in time. A copy of a Sha256 that has taken a salt starts every further digest for nothing. One
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bitvelocity::core {

class Sha256 {
  public:
    using Digest = std::array<std::uint8_t, 32>;

    void Update(std::string_view bytes);
    // The object is of no further use.
    [[nodiscard]] Digest Finish();

  private:
    void Compress(const std::uint8_t* block);

    std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                           0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::uint8_t, 64> block_{};
    std::size_t filled_ = 0;
    std::uint64_t length_ = 0;  // bytes
};

// Replaces `out` by 64 lower-case hexadecimal digits.
void WriteHex(std::string& out, const Sha256::Digest& digest);

}  // namespace bitvelocity::core
