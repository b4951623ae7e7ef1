// Compressed data files: gzip members or zstd frames, one behind the other. Each holds a few lines
// and stands for itself, so that those before a damage can be read whatever is behind it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "config/settings.hpp"

namespace pgcourier::sinks {

// A member (in zstd's words a frame) holds at most so much of the lines: what reading one back
// takes of memory. Files written with another limit can't be continued.
constexpr std::size_t largest_content = 256 * 1024;

class Compressor {
 public:
  virtual ~Compressor() = default;

  // `content` as one member. REQUIRES: it is not larger than largest_content. Valid until the next
  // call.
  virtual std::string_view compress(std::string_view content) = 0;
};

struct Member {
  std::size_t size = 0;  // compressed
  std::string_view content;
};

class Decompressor {
 public:
  virtual ~Decompressor() = default;

  // No member is larger, compressed.
  virtual std::size_t largest_member() const = 0;

  // The member at the front of `bytes`, checked against its checksum; empty if it is torn, damaged
  // or none of ours. Valid until the next call.
  virtual std::optional<Member> decompress(std::string_view bytes) = 0;
};

// Null for Compression::none.
std::unique_ptr<Compressor> make_compressor(config::Compression compression);
std::unique_ptr<Decompressor> make_decompressor(config::Compression compression);

}  // namespace pgcourier::sinks
