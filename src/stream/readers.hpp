// Readers: the processes that read chunks for this deliverer, as it sees them.
//
// Started when there is something to read, up to the number that is wanted, and ended with this
// object. A reader has one order at a time. One that is gone, whatever ended it, is a lost order
// that is to be given again; several in a row that never answered, or no background worker slot:
// no more are started (Exhausted). Deliverer, main thread; throws.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>

#include "stream/definition.hpp"
#include "stream/model/chunk.hpp"

struct BackgroundWorkerHandle;
struct dsm_segment;
struct shm_mq_handle;

namespace bitvelocity::stream {

class Readers {
  public:
    Readers(const Definition& definition, std::uint64_t wanted)
        : definition_(definition), wanted_(wanted) {}
    ~Readers();
    Readers(const Readers&) = delete;
    Readers& operator=(const Readers&) = delete;

    // One of them has nothing to do.
    [[nodiscard]] bool Idle() const;
    // The same, and starts another one where none has and more are wanted; outside a transaction.
    [[nodiscard]] bool Ready();
    // After Ready(). Does not wait.
    void Give(const model::ChunkOrder& order);
    // The next answer that has come; kLost: of an order whose reader is gone.
    std::optional<model::ChunkAnswer> Take();
    // Why there are not more of them; empty: there may be.
    [[nodiscard]] const std::string& exhausted() const { return exhausted_; }
    [[nodiscard]] std::size_t size() const { return readers_.size(); }

  private:
    struct Reader {
        BackgroundWorkerHandle* process = nullptr;
        dsm_segment* segment = nullptr;
        shm_mq_handle* orders = nullptr;
        shm_mq_handle* answers = nullptr;
        std::uint64_t number = 0;                  // of its order; 0: none
        std::string unsent;                        // of the order's bytes
        std::optional<model::ChunkAnswer> answer;  // its rows are coming
        std::uint64_t missing = 0;                 // bytes of them
    };

    [[nodiscard]] bool Start();
    bool Send(Reader& reader);
    // True: the answer is complete; `gone`: there will be none.
    bool Receive(Reader& reader, bool* gone);
    static void Close(Reader& reader) noexcept;

    const Definition& definition_;
    std::uint64_t wanted_;
    std::list<Reader> readers_;
    std::string exhausted_;
    int lost_ = 0;  // in a row
};

}  // namespace bitvelocity::stream
