HTTP/1.1 is now parsed by llhttp at both ends, strictly; uploads are forwarded while they arrive.
