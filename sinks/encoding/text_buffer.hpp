// Text that grows at its end: what encoders write into.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace pgcourier::sinks::encoding {

// Like std::string, but appending is inlined, so that a literal becomes a store or two, and room
// can be written to before it counts. Its memory stays when it is emptied.
class TextBuffer {
 public:
  TextBuffer() = default;

  TextBuffer& operator=(std::string_view text) {
    clear();
    return *this += text;
  }
  TextBuffer& operator+=(std::string_view text) {
    if (text.empty()) return *this;
    std::memcpy(room(text.size()), text.data(), text.size());
    size_ += text.size();
    return *this;
  }
  TextBuffer& operator+=(char byte) {
    *room(1) = byte;
    ++size_;
    return *this;
  }

  // Where `size` more bytes may be written; taken() then says how many were. Valid until the next
  // append.
  char* room(std::size_t size) {
    if (capacity_ - size_ < size) grow(size);
    return bytes_.get() + size_;
  }
  void taken(std::size_t size) { size_ += size; }

  // REQUIRES: size <= this->size().
  void cut(std::size_t size) { size_ = size; }
  void clear() { size_ = 0; }
  char& back() { return bytes_[size_ - 1]; }

  std::size_t size() const { return size_; }
  std::string_view view() const { return {bytes_.get(), size_}; }
  operator std::string_view() const { return view(); }

 private:
  void grow(std::size_t more) {
    const std::size_t capacity = std::max({size_ + more, 2 * capacity_, std::size_t{256}});
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ > 0) std::memcpy(bytes.get(), bytes_.get(), size_);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace pgcourier::sinks::encoding
