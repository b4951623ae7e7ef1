#include "sinks/file_compression.hpp"

#include <libdeflate.h>
#include <zstd.h>

#include <new>
#include <string>

#include "cdc/sink.hpp"

namespace pgcourier::sinks {
namespace {

using config::Compression;

// Of members of this size zstd's next levels make nothing smaller (ADR 0010).
constexpr int gzip_level = 6;
constexpr int zstd_level = 1;

template <auto release>
struct Release {
  template <typename Handle>
  void operator()(Handle* handle) const {
    release(handle);
  }
};

template <typename Handle>
Handle* allocated(Handle* handle) {
  if (handle == nullptr) throw std::bad_alloc();
  return handle;
}

class GzipCompressor : public Compressor {
 public:
  std::string_view compress(std::string_view content) override {
    const auto size = libdeflate_gzip_compress(compressor_.get(), content.data(), content.size(),
                                               member_.data(), member_.size());
    return {member_.data(), size};
  }

 private:
  std::unique_ptr<libdeflate_compressor, Release<libdeflate_free_compressor>> compressor_{
      allocated(libdeflate_alloc_compressor(gzip_level))};
  std::string member_ =
      std::string(libdeflate_gzip_compress_bound(compressor_.get(), largest_content), '\0');
};

class GzipDecompressor : public Decompressor {
 public:
  std::size_t largest_member() const override {
    return libdeflate_gzip_compress_bound(nullptr, largest_content);
  }

  std::optional<Member> decompress(std::string_view bytes) override {
    std::size_t member = 0;
    std::size_t content = 0;
    const auto result =
        libdeflate_gzip_decompress_ex(decompressor_.get(), bytes.data(), bytes.size(),
                                      content_.data(), content_.size(), &member, &content);
    if (result != LIBDEFLATE_SUCCESS) return std::nullopt;
    return Member{member, {content_.data(), content}};
  }

 private:
  std::unique_ptr<libdeflate_decompressor, Release<libdeflate_free_decompressor>> decompressor_{
      allocated(libdeflate_alloc_decompressor())};
  std::string content_ = std::string(largest_content, '\0');
};

class ZstdCompressor : public Compressor {
 public:
  ZstdCompressor() {
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, zstd_level);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
  }

  std::string_view compress(std::string_view content) override {
    const auto size = ZSTD_compress2(context_.get(), frame_.data(), frame_.size(), content.data(),
                                     content.size());
    if (ZSTD_isError(size) != 0) {
      throw cdc::SinkError(cdc::SinkFailure::internal,
                           std::string("files: zstd: ") + ZSTD_getErrorName(size));
    }
    return {frame_.data(), size};
  }

 private:
  std::unique_ptr<ZSTD_CCtx, Release<ZSTD_freeCCtx>> context_{allocated(ZSTD_createCCtx())};
  std::string frame_ = std::string(ZSTD_compressBound(largest_content), '\0');
};

class ZstdDecompressor : public Decompressor {
 public:
  std::size_t largest_member() const override { return ZSTD_compressBound(largest_content); }

  std::optional<Member> decompress(std::string_view bytes) override {
    const auto frame = ZSTD_findFrameCompressedSize(bytes.data(), bytes.size());
    if (ZSTD_isError(frame) != 0) return std::nullopt;
    const auto content =
        ZSTD_decompressDCtx(context_.get(), content_.data(), content_.size(), bytes.data(), frame);
    if (ZSTD_isError(content) != 0) return std::nullopt;
    return Member{frame, {content_.data(), content}};
  }

 private:
  std::unique_ptr<ZSTD_DCtx, Release<ZSTD_freeDCtx>> context_{allocated(ZSTD_createDCtx())};
  std::string content_ = std::string(largest_content, '\0');
};

}  // namespace

std::unique_ptr<Compressor> make_compressor(Compression compression) {
  if (compression == Compression::gzip) return std::make_unique<GzipCompressor>();
  if (compression == Compression::zstd) return std::make_unique<ZstdCompressor>();
  return nullptr;
}

std::unique_ptr<Decompressor> make_decompressor(Compression compression) {
  if (compression == Compression::gzip) return std::make_unique<GzipDecompressor>();
  if (compression == Compression::zstd) return std::make_unique<ZstdDecompressor>();
  return nullptr;
}

}  // namespace pgcourier::sinks
