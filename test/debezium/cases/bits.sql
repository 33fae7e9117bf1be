-- Bit strings.
CREATE TABLE bits (id int PRIMARY KEY, b bit, b1 bit(1), b2 bit(2), b7 bit(7), b64 bit(64), vb varbit, vb1 varbit(1), vb5 varbit(5));
-- changes
INSERT INTO bits VALUES (1, '1', '0', '11', '1000000', B'1000000000000000000000000000000000000000000000000000000000000001', '101', '1', '00101'),
    (2, '0', '1', '00', '0000001', repeat('0', 64)::bit(64), '', '', '0'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, '1', '1', '10', '1010101', repeat('1', 64)::bit(64), B'1111111100000001', '0', '11111');
