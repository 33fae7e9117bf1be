// SHA-256 against the examples of FIPS 180-2 (appendix B) and NIST's CAVP vectors for short
// messages.

#include "core/sha256.hpp"

#include <gtest/gtest.h>

#include <string>

namespace bitvelocity::core {
namespace {

std::string Hash(std::string_view text) {
    Sha256 hash;
    hash.Update(text);
    std::string out;
    WriteHex(out, hash.Finish());
    return out;
}

TEST(Sha256, AgreesWithThePublishedExamples) {
    EXPECT_EQ(Hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(Hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(Hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(Hash(std::string(1'000'000, 'a')),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    EXPECT_EQ(Hash("\xd3"), "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1");
}

// 55 bytes of the last block leave room for the length, 56 to 64 do not; values of coreutils.
TEST(Sha256, FillsTheLastBlock) {
    EXPECT_EQ(Hash(std::string(55, 'x')),
              "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072");
    EXPECT_EQ(Hash(std::string(56, 'x')),
              "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e");
    EXPECT_EQ(Hash(std::string(63, 'x')),
              "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2");
    EXPECT_EQ(Hash(std::string(64, 'x')),
              "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c");
    EXPECT_EQ(Hash(std::string(119, 'x')),
              "000b48d4edf0fa7bee3c6236ecd2785baa5db4eeb8bb54341b029e0d9fa5fb0c");
    EXPECT_EQ(Hash(std::string(120, 'x')),
              "13f05a0b594787f5ecd315edc96141bd3243203d1b7d4f0836f37308b276ba98");
}

TEST(Sha256, TheSameInPiecesOfAnySize) {
    for (std::size_t length = 0; length <= 130; ++length) {
        const std::string text(length, 'x');
        for (std::size_t piece = 1; piece <= length; piece += 7) {
            Sha256 hash;
            for (std::size_t at = 0; at < length; at += piece) {
                hash.Update(std::string_view(text).substr(at, piece));
            }
            std::string out;
            WriteHex(out, hash.Finish());
            ASSERT_EQ(out, Hash(text)) << length << " " << piece;
        }
    }
}

TEST(Sha256, ACopyGoesOnFromASalt) {
    Sha256 salted;
    salted.Update("pepper");
    for (int i = 0; i < 2; ++i) {
        Sha256 hash = salted;
        hash.Update("abc");
        std::string out;
        WriteHex(out, hash.Finish());
        EXPECT_EQ(out, Hash("pepperabc"));
    }
}

}  // namespace
}  // namespace bitvelocity::core
