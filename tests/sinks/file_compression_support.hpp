// Reads compressed data files as others do: zlib and zstd's streaming interface, which know nothing
// of members or of what wrote them.
#pragma once

#include <zlib.h>
#include <zstd.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>

#include "config/settings.hpp"

namespace pgcourier::tests {

inline std::string gunzip(std::string bytes) {
  std::string content;
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  while (stream.avail_in > 0) {
    constexpr int gzip_only = 15 + 16;
    inflateInit2(&stream, gzip_only);
    for (int result = Z_OK; result != Z_STREAM_END;) {
      std::array<char, 4096> piece{};
      stream.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream.avail_out = piece.size();
      result = inflate(&stream, Z_NO_FLUSH);
      content.append(piece.data(), piece.size() - stream.avail_out);
      if (result != Z_OK && result != Z_STREAM_END) {
        inflateEnd(&stream);
        throw std::runtime_error("no whole gzip member");
      }
    }
    inflateEnd(&stream);
  }
  return content;
}

inline std::string unzstd(const std::string& bytes) {
  std::string content;
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                     &ZSTD_freeDCtx);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::size_t wanted = 0;
  while (in.pos < in.size || wanted != 0) {
    std::array<char, 4096> piece{};
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    const auto before = in.pos;
    wanted = ZSTD_decompressStream(context.get(), &out, &in);
    content.append(piece.data(), out.pos);
    if (ZSTD_isError(wanted) != 0 || (out.pos == 0 && in.pos == before)) {
      throw std::runtime_error("no whole zstd frame");
    }
  }
  return content;
}

inline std::string lines_of(const std::string& bytes, config::Compression compression) {
  switch (compression) {
    case config::Compression::none:
      return bytes;
    case config::Compression::gzip:
      return gunzip(bytes);
    case config::Compression::zstd:
      return unzstd(bytes);
  }
  return {};
}

inline std::string compression_name(config::Compression compression) {
  return compression == config::Compression::gzip ? "gzip" : "zstd";
}

}  // namespace pgcourier::tests
