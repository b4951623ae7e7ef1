// A disk in memory, which may be full or fail.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "cdc/spill_store.hpp"

namespace pgcourier::test {

class MemorySpills : public cdc::SpillStore {
 public:
  std::unique_ptr<cdc::SpillFile> make_file() override { return std::make_unique<File>(*this); }

  bool full = false;
  bool corrupt = false;
  std::size_t files = 0;
  std::size_t written_bytes = 0;

 private:
  class File : public cdc::SpillFile {
   public:
    explicit File(MemorySpills& store) : store_(store) { ++store_.files; }
    ~File() override { --store_.files; }

    std::uint32_t write(std::uint64_t offset, std::string_view bytes) override {
      if (store_.full) throw cdc::SpillError("full");
      bytes_.resize(std::max<std::size_t>(bytes_.size(), offset + bytes.size()));
      bytes_.replace(offset, bytes.size(), bytes);
      store_.written_bytes += bytes.size();
      return static_cast<std::uint32_t>(std::hash<std::string_view>{}(bytes));
    }
    void read(std::uint64_t offset, std::string& into, std::uint32_t checksum) override {
      into = bytes_.substr(offset, into.size());
      if (store_.corrupt) into[into.size() / 2] ^= 1;
      if (static_cast<std::uint32_t>(std::hash<std::string_view>{}(into)) != checksum) {
        throw cdc::SpillError("other bytes");
      }
    }

   private:
    MemorySpills& store_;
    std::string bytes_;
  };
};

}  // namespace pgcourier::test
