-- Geometric types.
CREATE TABLE points (id int PRIMARY KEY, p point);
CREATE TABLE shapes (id int PRIMARY KEY, ln line, ls lseg, bx box, pa path, po polygon, ci circle);
-- changes
INSERT INTO points VALUES (1, '(1.5,-2)'), (2, NULL), (3, '(1e300,0.1)');
INSERT INTO shapes VALUES (1, '{1,-1,0}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(1,2),3>'), (2, NULL, NULL, NULL, NULL, NULL, NULL);
