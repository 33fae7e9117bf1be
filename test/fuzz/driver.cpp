// Runs a fuzz target without libFuzzer: every file of the corpus as it is, then seeded mutations of
// it.
//
//   TARGET [--runs=N] [--seed=N] FILE-OR-DIRECTORY ...
//
// The same seed gives the same inputs. Sanitizers and aborts of the target are the verdict; the
// input that was running is left in crash-input.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// Present in sanitized builds only.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestInput = 1 << 16;

std::vector<std::string> Load(const std::vector<fs::path>& roots) {
    std::vector<fs::path> files;
    for (const fs::path& root : roots) {
        if (fs::is_directory(root)) {
            for (const auto& entry : fs::recursive_directory_iterator(root)) {
                const fs::path extension = entry.path().extension();
                const bool input = extension.empty() || extension == ".frames";
                if (input && entry.is_regular_file() && entry.file_size() <= kLargestInput) {
                    files.push_back(entry.path());
                }
            }
        } else if (fs::exists(root)) {
            files.push_back(root);
        }
    }
    std::sort(files.begin(), files.end());
    std::vector<std::string> corpus;
    for (const fs::path& file : files) {
        std::ifstream in(file, std::ios::binary);
        corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return corpus;
}

class Mutator {
  public:
    Mutator(std::vector<std::string> corpus, std::uint64_t seed)
        : corpus_(std::move(corpus)), random_(seed) {}

    std::string Next() {
        std::string input = corpus_[Below(corpus_.size())];
        for (std::size_t n = 1 + Below(8); n > 0; --n) {
            Mutate(input);
        }
        input.resize(std::min(input.size(), kLargestInput));
        return input;
    }

  private:
    std::size_t Below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

    void Mutate(std::string& input) {
        static constexpr unsigned char kInteresting[] = {
            0,   1,   0x7f, 0x80, 0xff, 'R', 'x', 'I', 'U', 'D', 'T', 'M', 'n', 't', 'u', 'K',
            'O', 'N', '"',  '\\', '{',  '}', '(', ')', ',', ' ', '-', '.', 'e', '0', '9', ':'};
        if (input.empty()) {
            input.push_back(static_cast<char>(random_()));
            return;
        }
        const std::size_t at = Below(input.size());
        const std::size_t length = 1 + Below(std::min<std::size_t>(input.size() - at, 64));
        switch (Below(7)) {
            case 0:
                input[at] = static_cast<char>(input[at] ^ (1 << Below(8)));
                break;
            case 1:
                input[at] = static_cast<char>(kInteresting[Below(std::size(kInteresting))]);
                break;
            case 2:
                input.erase(at, length);
                break;
            case 3:
                input.insert(Below(input.size()), input.substr(at, length));
                break;
            case 4:
                input.insert(at, 1, static_cast<char>(random_()));
                break;
            case 5: {  // splice
                const std::string& other = corpus_[Below(corpus_.size())];
                const std::size_t from = Below(other.size());
                input.insert(at, other.substr(from, Below(256)));
                break;
            }
            default:
                input.resize(at);
        }
    }

    std::vector<std::string> corpus_;
    std::mt19937_64 random_;
};

// The input that is running; written out by whoever ends the process.
const std::string* running = nullptr;

void SaveInput() {
    const int file = ::open("crash-input", O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (file >= 0 && running != nullptr) {
        const ssize_t written = ::write(file, running->data(), running->size());
        static_cast<void>(written);
        ::close(file);
    }
}

void OnAbort(int signal_number) {
    SaveInput();
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
}

void Run(const std::string& input) {
    running = &input;
    // An exact allocation, so that a read past the end is seen.
    const std::vector<std::uint8_t> exact(input.begin(), input.end());
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
    running = nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t runs = 1000;
    std::uint64_t seed = 1;
    std::vector<fs::path> roots;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument.starts_with("--runs=")) {
            runs = std::strtoull(argument.c_str() + 7, nullptr, 10);
        } else if (argument.starts_with("--seed=")) {
            seed = std::strtoull(argument.c_str() + 7, nullptr, 10);
        } else {
            roots.emplace_back(argument);
        }
    }
    std::signal(SIGABRT, OnAbort);
    if (__sanitizer_set_death_callback != nullptr) {
        __sanitizer_set_death_callback(SaveInput);
    }
    std::vector<std::string> corpus = Load(roots);
    corpus.emplace_back();
    for (const std::string& input : corpus) {
        Run(input);
    }
    Mutator mutator(corpus, seed);
    for (std::uint64_t run = 0; run < runs; ++run) {
        Run(mutator.Next());
    }
    std::printf("%zu inputs and %llu mutations passed\n", corpus.size(),
                static_cast<unsigned long long>(runs));
    return 0;
}
